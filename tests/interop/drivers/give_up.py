"""Gets messages with asyncio.wait_for and very short times, over one session inside one service: give_up.py COUNT

Prints how many of COUNT messages came, and "in order" when they did.
"""

import asyncio
import datetime
import sys

import slim_bindings as sb

SECRET = "a shared secret for tests, long enough"
COUNT = int(sys.argv[1])


async def main():
    sb.initialize_with_configs(
        tracing_config=sb.new_tracing_config_with("off", False, False, []),
        runtime_config=sb.new_runtime_config(),
        service_config=[sb.new_service_config()],
    )
    service = sb.Service("one")
    alice, bob = (service.create_app_with_secret(sb.Name("org", "ns", last), SECRET) for last in ("alice", "bob"))
    second = datetime.timedelta(seconds=1)
    config = sb.SessionConfig(
        session_type=sb.SessionType.POINT_TO_POINT, enable_mls=False, max_retries=10, interval=second, metadata={}
    )
    made = await alice.create_session_async(config, sb.Name("org", "ns", "bob"))
    await made.completion.wait_async()
    session = await bob.listen_for_session_async(None)

    async def publish():
        for number in range(COUNT):
            await made.session.publish_and_wait_async(str(number).encode(), None, None)

    publishing = asyncio.create_task(publish())
    got, given_up = [], 0
    while len(got) < COUNT:
        try:
            message = await asyncio.wait_for(session.get_message_async(None), 0.0005)
        except asyncio.TimeoutError:
            given_up += 1
            if publishing.done() and given_up > 100 * COUNT:
                break
        else:
            got.append(int(message.payload))
    await publishing
    print(len(got), "in order" if got == list(range(COUNT)) else "in disorder")


asyncio.run(main())
