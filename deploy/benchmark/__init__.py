"""The benchmarks: each against its rival or the bare server, interleaved in one run, on real sockets."""
