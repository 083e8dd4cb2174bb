"""Our package beside the real clients, through our node: the same driver program, unmodified, in all of them."""

import pytest
from clients import ClientError
from test_groups import check_everyone_got, publish_from_all, settle

CHANNEL = "org/ns/wheel-channel"
COUNT = 5


def pair(node, make_clients, sender, receiver, mls, **options):
    first, second = make_clients(node, [sender, receiver], **options)
    first.call("route", name=second.short_name)
    key = first.call("session", kind="p2p", name=second.short_name, mls=mls)["session"]
    return first, second, key, second.wait_session()


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
@pytest.mark.parametrize(
    ("sender", "receiver"),
    [("wheel", "wheel"), ("wheel", "1.0.1"), ("1.0.1", "wheel"), ("wheel", "1.4.1"), ("1.4.1", "wheel")],
)
def test_pairs_talk_in_both_directions_and_close(node, make_clients, sender, receiver, mls):
    first, second, key, answer_key = pair(node, make_clients, sender, receiver, mls)
    there = [f"there {i}" for i in range(20)]
    first.call("publish", session=key, texts=there)
    assert second.wait_texts(20) == there
    back = [f"back {i}" for i in range(20)]
    second.call("publish", session=answer_key, texts=back)
    assert first.wait_texts(20) == back
    first.call("delete", session=key)
    assert second.wait_closed()


@pytest.mark.parametrize("mls", [False, True], ids=["plain", "mls"])
@pytest.mark.parametrize(
    "versions",
    [
        ["wheel", "wheel", "wheel"],
        ["wheel", "1.0.1", "1.4.1", "wheel"],
        ["1.0.1", "wheel", "1.4.1", "wheel"],
        ["1.4.1", "wheel", "1.0.1", "wheel"],
    ],
    ids=lambda versions: "-".join(versions),
)
def test_groups_invite_publish_remove_close(node, make_clients, versions, mls):
    clients = make_clients(node, versions)
    moderator, *members = clients
    key = moderator.call("session", kind="group", name=CHANNEL, mls=mls)["session"]
    for member in members:
        moderator.call("route", name=member.short_name)
        moderator.call("invite", session=key, name=member.short_name)
    sessions = [key, *(member.wait_session() for member in members)]
    settle(clients, sessions)
    check_everyone_got(clients, publish_from_all(clients, sessions, "first"), "first")
    removed = members[0]
    moderator.call("remove", session=key, name=removed.short_name)
    assert removed.wait_closed()
    moderator.call("delete", session=key)
    for member in members[1:]:
        assert member.wait_closed(), f"{member.short_name}: the close did not arrive"


def test_errors_have_the_texts_that_programs_look_for(node, make_clients):
    (client,) = make_clients(node, ["wheel"])
    client.call("route", name="org/ns/nobody")
    with pytest.raises(ClientError, match=r"^SessionError: message='failed to add participant to session"):
        client.call("session", kind="p2p", name="org/ns/nobody", retries=1)
    (other,) = make_clients(node, ["1.0.1"])
    key = client.call("session", kind="group", name=CHANNEL)["session"]
    client.call("route", name=other.short_name)
    client.call("invite", session=key, name=other.short_name)
    with pytest.raises(ClientError, match="participant already in group"):
        client.call("invite", session=key, name=other.short_name)
    with pytest.raises(ClientError, match="participant not found in group"):
        client.call("remove", session=key, name="org/ns/nobody")
    with pytest.raises(ClientError, match="failed to add participant to session"):
        client.call("invite", session=key, name="org/ns/nobody")


def test_a_restarted_node_does_not_end_a_session(node, make_clients):
    first, second, key, _ = pair(node, make_clients, "wheel", "wheel", True)
    first.call("publish", session=key, texts=["before"])
    node.kill()
    node.start()
    first.call("publish", session=key, texts=["after"])
    assert second.wait_texts(2) == ["before", "after"]
