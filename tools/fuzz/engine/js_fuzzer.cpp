// libFuzzer for JavaScript: an addon that lends the engine a target and its coverage counters.

#include <node_api.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

extern "C" {
int LLVMFuzzerRunDriver(int* argc, char*** argv, int (*one)(const uint8_t* data, size_t size));
void __sanitizer_cov_8bit_counters_init(uint8_t* start, uint8_t* stop);
void __sanitizer_cov_pcs_init(const uintptr_t* start, const uintptr_t* stop);
}

namespace {

// The engine calls back without a context, and only one run per process is possible.
napi_env the_env;
napi_ref the_target;

void require(napi_status status, const char* what) {
  if (status == napi_ok) return;
  std::fprintf(stderr, "the fuzzer's addon: %s failed\n", what);
  std::abort();
}

// Writes what the target threw, with its stack; the engine then keeps the input.
void report_exception() {
  napi_value error, text;
  require(napi_get_and_clear_last_exception(the_env, &error), "napi_get_and_clear_last_exception");
  napi_value stack;
  const bool has_stack = napi_get_named_property(the_env, error, "stack", &stack) == napi_ok;
  require(napi_coerce_to_string(the_env, has_stack ? stack : error, &text),
          "napi_coerce_to_string");
  size_t length = 0;
  require(napi_get_value_string_utf8(the_env, text, nullptr, 0, &length), "length");
  std::string message(length + 1, '\0');
  require(napi_get_value_string_utf8(the_env, text, message.data(), length + 1, &length), "text");
  std::fprintf(stderr, "\n%s\n", message.c_str());
}

int one_input(const uint8_t* data, size_t size) {
  napi_handle_scope scope;
  require(napi_open_handle_scope(the_env, &scope), "napi_open_handle_scope");
  napi_value target, receiver, bytes;
  require(napi_get_reference_value(the_env, the_target, &target), "napi_get_reference_value");
  require(napi_get_undefined(the_env, &receiver), "napi_get_undefined");
  // A copy: a target that keeps its input must not see the next one.
  require(napi_create_buffer_copy(the_env, size, data, nullptr, &bytes), "napi_create_buffer_copy");
  if (napi_call_function(the_env, receiver, target, 1, &bytes, nullptr) != napi_ok) {
    report_exception();
    std::abort();
  }
  require(napi_close_handle_scope(the_env, scope), "napi_close_handle_scope");
  return 0;
}

std::string string_of(napi_env env, napi_value value) {
  size_t length = 0;
  require(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "an argument");
  std::string text(length + 1, '\0');
  require(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length), "an argument");
  text.resize(length);
  return text;
}

// The engine wants an address for every counter: any that differ will do.
void register_counters(uint8_t* counters, size_t count) {
  auto* table = new std::vector<uintptr_t>();
  for (size_t i = 0; i < count; i++) table->insert(table->end(), {i + 1, 0});
  __sanitizer_cov_8bit_counters_init(counters, counters + count);
  __sanitizer_cov_pcs_init(table->data(), table->data() + table->size());
}

// run(target, counters: Uint8Array, arguments: string[]): ends the process when it is done.
napi_value run(napi_env env, napi_callback_info info) {
  napi_value given[3];
  size_t count = 3;
  require(napi_get_cb_info(env, info, &count, given, nullptr, nullptr), "napi_get_cb_info");
  the_env = env;
  require(napi_create_reference(env, given[0], 1, &the_target), "napi_create_reference");
  napi_typedarray_type type;
  size_t length = 0;
  void* counters = nullptr;
  require(napi_get_typedarray_info(env, given[1], &type, &length, &counters, nullptr, nullptr),
          "napi_get_typedarray_info");
  register_counters(static_cast<uint8_t*>(counters), length);
  uint32_t argument_count = 0;
  require(napi_get_array_length(env, given[2], &argument_count), "napi_get_array_length");
  std::vector<std::string> texts = {"fuzz"};
  for (uint32_t i = 0; i < argument_count; i++) {
    napi_value item;
    require(napi_get_element(env, given[2], i, &item), "napi_get_element");
    texts.push_back(string_of(env, item));
  }
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  int argc = static_cast<int>(texts.size());
  char** argv = pointers.data();
  const int code = LLVMFuzzerRunDriver(&argc, &argv, one_input);
  std::_Exit(code);
}

napi_value init(napi_env env, napi_value exports) {
  napi_value function;
  require(napi_create_function(env, "run", NAPI_AUTO_LENGTH, run, nullptr, &function), "run");
  require(napi_set_named_property(env, exports, "run", function), "exports");
  return exports;
}

}  // namespace

NAPI_MODULE(js_fuzzer, init)
