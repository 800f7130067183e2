// A program that answers one line on stdout for every line on stdin: `ok <number>` or
// `error <sentence>`. The benchmark starts such programs and decides when each of them works.
#pragma once

#include <cstdio>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>

namespace deepgemm::bench {

// `answer(command, rest)` returns the number, or throws what went wrong. Ends with stdin.
template <class Answer>
int serve(Answer&& answer) {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream rest(line);
    std::string command;
    rest >> command;
    try {
      std::printf("ok %.17g\n", static_cast<double>(answer(command, rest)));
    } catch (const std::exception& error) {
      std::printf("error %s\n", error.what());
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace deepgemm::bench
