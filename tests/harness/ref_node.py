"""A node of the reference, run by an interpreter that has slim-bindings: ref_node.py IP:PORT [TLS].

TLS is a JSON object with cert, key, client_ca (paths) and version."""

import asyncio
import json
import sys

import slim_bindings


def config_of(endpoint, tls):
    config = slim_bindings.new_insecure_server_config(endpoint)
    if tls:
        config.tls.insecure = False
        config.tls.tls_version = tls.get("version", "tls1.3")
        config.tls.source = slim_bindings.TlsSource.FILE(cert=tls["cert"], key=tls["key"])
        if "client_ca" in tls:
            config.tls.client_ca = slim_bindings.CaSource.FILE(path=tls["client_ca"])
    return config


async def main():
    tracing = slim_bindings.new_tracing_config_with("error", False, False, [])
    slim_bindings.initialize_with_configs(
        tracing_config=tracing,
        runtime_config=slim_bindings.new_runtime_config(),
        service_config=[slim_bindings.new_service_config()],
    )
    service = slim_bindings.get_global_service()
    await service.run_server_async(config_of(sys.argv[1], json.loads((sys.argv[2:] or ["null"])[0])))
    await asyncio.Event().wait()


asyncio.run(main())
