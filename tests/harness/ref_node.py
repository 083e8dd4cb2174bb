"""A node of the reference, run by an interpreter that has slim-bindings: ref_node.py IP:PORT."""

import asyncio
import sys

import slim_bindings


async def main():
    tracing = slim_bindings.new_tracing_config_with("error", False, False, [])
    slim_bindings.initialize_with_configs(
        tracing_config=tracing,
        runtime_config=slim_bindings.new_runtime_config(),
        service_config=[slim_bindings.new_service_config()],
    )
    service = slim_bindings.get_global_service()
    await service.run_server_async(slim_bindings.new_insecure_server_config(sys.argv[1]))
    await asyncio.Event().wait()


asyncio.run(main())
