"""One end of a conversation, with any release of the package: settings as JSON in the first argument, the result as the last line.

The receiver answers each message with "re: " and the message, and ends when the session is closed; the sender checks the answers.
"""

import asyncio
import datetime
import json
import sys

import slim_bindings as sb

PATIENCE = datetime.timedelta(seconds=20)


def name_of(text):
    return sb.Name(*text.split("/"))


def identity(settings):
    """Provider and verifier: JWT signed with a key of our own, the peer's checked with its public key."""
    keys = settings["jwt"]

    def key(which):
        return sb.JwtKeyConfig(
            algorithm=getattr(sb.JwtAlgorithm, keys[which]["algorithm"]),
            format=sb.JwtKeyFormat.PEM,
            key=sb.JwtKeyData.FILE(path=keys[which]["file"]),
        )

    claims = {"audience": keys["audience"], "issuer": "tests", "duration": datetime.timedelta(seconds=60)}
    provider = sb.ClientJwtAuth(key=sb.JwtKeyType.ENCODING(key=key("own")), subject=settings["name"], **claims)
    verifier = sb.JwtAuth(key=sb.JwtKeyType.DECODING(key=key("peer")), subject=None, **claims)
    return sb.IdentityProviderConfig.JWT(config=provider), sb.IdentityVerifierConfig.JWT(config=verifier)


async def join(settings):
    sb.initialize_with_configs(
        tracing_config=sb.new_tracing_config_with("off", False, False, []),
        runtime_config=sb.new_runtime_config(),
        service_config=[sb.new_service_config()],
    )
    service = sb.get_global_service()
    link = await service.connect_async(sb.new_insecure_client_config(settings["server"]))
    own = name_of(settings["name"])
    if "jwt" in settings:
        app = service.create_app(own, *identity(settings))
    else:
        app = service.create_app_with_secret(own, settings["secret"])
    await app.subscribe_async(own, link)
    return app, link


async def receive(settings):
    app, _ = await join(settings)
    print("ready", flush=True)
    session = await app.listen_for_session_async(PATIENCE)
    texts = []
    while True:
        try:
            message = await session.get_message_async(PATIENCE)
        except sb.SlimError.SessionError as error:
            return {"texts": texts, "end": str(error)}
        texts.append(message.payload.decode())
        handle = await session.publish_async(b"re: " + message.payload, None, None)
        await handle.wait_async()


async def send(settings):
    app, link = await join(settings)
    peer = name_of(settings["peer"])
    await app.set_route_async(peer, link)
    config = sb.SessionConfig(
        session_type=sb.SessionType.POINT_TO_POINT,
        enable_mls=settings["mls"],
        max_retries=5,
        interval=datetime.timedelta(seconds=1),
        metadata={},
    )
    made = await app.create_session_async(config, peer)
    await made.completion.wait_async()
    answers = []
    for number in range(settings["count"]):
        handle = await made.session.publish_async(b"message %d" % number, None, None)
        await handle.wait_async()
        answers.append((await made.session.get_message_async(PATIENCE)).payload.decode())
    handle = await app.delete_session_async(made.session)
    await handle.wait_async()
    return {"answers": answers}


async def main():
    settings = json.loads(sys.argv[1])
    try:
        result = await (send if "peer" in settings else receive)(settings)
    except Exception as error:  # noqa: BLE001
        result = {"error": f"{type(error).__name__}: {error}"}
    print("\n" + json.dumps(result), flush=True)


asyncio.run(main())
