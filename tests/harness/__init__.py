"""What the interop and system tests and the benchmarks share: nodes as processes, raw HTTP/2 peers, protobuf of SLIM."""
