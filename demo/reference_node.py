"""The reference's node, out of its Python package: reference_node.py HOST:PORT. To compare a demo run with."""

import signal
import sys

import slim_bindings


def main():
    slim_bindings.initialize_with_configs(
        tracing_config=slim_bindings.new_tracing_config(),
        runtime_config=slim_bindings.new_runtime_config(),
        service_config=[slim_bindings.new_service_config()],
    )
    service = slim_bindings.get_global_service()
    service.run_server(slim_bindings.new_insecure_server_config(sys.argv[1]))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
