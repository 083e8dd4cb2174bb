"""Example programs: a group, a pair, a server. Installed as slim-bindings-group, slim-bindings-p2p and slim-bindings-server."""
