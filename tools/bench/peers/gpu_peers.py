"""Times other libraries on the GPU when `tools/bench` asks: a JSON object per line in, one out.

    {"id": 1, "do": "hello", "peers": ["deepgemm", "cublaslt"]}
    {"id": 2, "do": "prepare", "problem": "dense", "m": 64, "n": 2112, "k": 7168, ...}
    {"id": 3, "do": "measure", "peer": "deepgemm", "replays": 15}

Every answer has the `id` and either `ok` or `error`. See src/gpu/peers.ts for who asks.
"""

import gc
import json
import os
import sys

# Answers go where stdout was; what libraries print joins stderr.
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import torch  # noqa: E402

from gpu_libraries import find_libraries  # noqa: E402
from gpu_grouped import Grouped  # noqa: E402
from gpu_layer import Batch, Experts  # noqa: E402
from gpu_operands import Operands, error_of  # noqa: E402

PAUSE_CYCLES = 200_000  # some 100 us: the graph is enqueued before the first event happens
WARM_UP_REPLAYS = 2
COPY_BYTES = 1 << 30
VERBS = "hello", "copy", "prepare", "prepare_grouped", "prepare_layer", "measure"


class Peers:
    def __init__(self):
        self.stream = torch.cuda.Stream()
        self.libraries = {}
        self.graphs = {}
        self.experts = {}

    def hello(self, peers):
        self.libraries, missing = find_libraries(peers)
        versions = {name: library.version for name, library in self.libraries.items()}
        return {"device": torch.cuda.get_device_name(), "peers": versions, "missing": missing}

    def copy(self):
        """Bytes read and written per second by a copy on the device, in GB/s."""
        source = torch.ones(COPY_BYTES, device="cuda", dtype=torch.uint8)
        target = torch.empty_like(source)
        times = sorted(self.times(lambda: target.copy_(source), 10))
        return {"gbs": 2 * COPY_BYTES / times[5] / 1e3}

    def prepare(self, problem, m, n, k, copies, launches, seeds):
        sets = self.sets(copies, lambda: Operands(problem, m, n, k, seeds))
        want = sets[0].expected()

        def answer(name, library):
            own = getattr(library, "expected", None)  # where scales are not those of the blocks
            wanted = own(sets[0]) if own else want
            return self.prepared(
                name, lambda: library.calls(sets, launches), lambda out: [(out, wanted)]
            )

        return {name: answer(name, library) for name, library in self.able("calls")}

    def prepare_grouped(self, problem, groups, expected_m, m, n, k, sizes, copies, launches, seeds):
        able = self.able("grouped_calls")
        if not able:
            return {}
        sets = self.sets(copies, lambda: Grouped(problem, groups, m, n, k, sizes, seeds))
        return {
            name: self.prepared(
                name, lambda: library.grouped_calls(sets, launches, expected_m), sets[0].products)
            for name, library in able
        }

    def prepare_layer(self, problem, groups, expected_m, n, k, top_k, launches):
        """The whole layer: N is its hidden extent, K the intermediate one."""
        self.graphs.clear()
        torch.cuda.empty_cache()
        able = self.able("layer_calls")
        key = groups, n, k
        if able and self.experts.get("key") != key:
            self.experts.clear()
            self.experts.update(key=key, weights=Experts(groups, n, k))
        answers = {}
        for name, library in able:
            batch = Batch(expected_m, top_k, self.experts["weights"])
            answers[name] = self.prepared(
                name, lambda: library.layer_calls(batch, launches), library.layer_products(batch))
        return answers

    def able(self, what):
        """The libraries that do products of a kind."""
        return [(name, library) for name, library in self.libraries.items() if hasattr(library, what)]

    def sets(self, copies, make):
        self.graphs.clear()
        torch.cuda.empty_cache()
        first = make()
        return [first] + [first.copy() for _ in range(copies - 1)]

    def prepared(self, name, make_calls, products):
        """Checks one call and captures all of them; `products` are pairs of got and wanted."""
        try:
            calls = make_calls()
            error = error_of(products(calls[0]()))
            self.graphs[name] = self.captured(calls), len(calls)
            return {"error": error}
        except Exception as error:  # a peer that refuses a shape is told, not hidden
            return {"refused": f"{type(error).__name__}: {error}"[:200]}

    def measure(self, peer, replays):
        graph, launches = self.graphs[peer]
        return {"us": [time / launches for time in self.times(graph.replay, replays)]}

    def captured(self, calls):
        for call in calls:
            call()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        graph.capture_begin()
        try:
            for call in calls:
                call()
        finally:
            graph.capture_end()
        return graph

    def times(self, work, repeats):
        """Microseconds of each repeat."""
        for _ in range(WARM_UP_REPLAYS):
            work()
        torch.cuda.synchronize()
        times = []
        for _ in range(repeats):
            begin, end = torch.cuda.Event(True), torch.cuda.Event(True)
            torch.cuda._sleep(PAUSE_CYCLES)
            begin.record()
            work()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end) * 1e3)
        return times


def answer(peers, line):
    request = json.loads(line)
    number, verb = request.pop("id"), request.pop("do")
    try:
        if verb not in VERBS:
            raise ValueError(f"unknown request {verb}")
        with torch.cuda.stream(peers.stream), torch.no_grad():
            return {"id": number, "ok": getattr(peers, verb)(**request)}
    except Exception as error:
        return {"id": number, "error": f"{type(error).__name__}: {error}"}


def main():
    gc.freeze()
    peers = Peers()
    for line in sys.stdin:
        print(json.dumps(answer(peers, line)), file=ANSWERS, flush=True)


if __name__ == "__main__":
    main()
