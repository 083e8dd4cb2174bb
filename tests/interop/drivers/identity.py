"""Real applications with identities and authenticated links, under control of a test: one JSON command per line in, one answer out.

Runs with every release of slim-bindings of generation 1, in an interpreter of its own."""

import datetime
import json
import os
import sys

import slim_bindings as sb

OUT = os.fdopen(os.dup(1), "w", buffering=1)  # the library logs on standard output: that goes to standard error
os.dup2(2, 1)
HOUR = datetime.timedelta(hours=1)


def jwt_key(kind, alg, key, form="pem"):
    config = sb.JwtKeyConfig(algorithm=getattr(sb.JwtAlgorithm, {"EdDSA": "ED_DSA"}.get(alg, alg)),
                             format=getattr(sb.JwtKeyFormat, form.upper()), key=sb.JwtKeyData.DATA(value=key))
    return getattr(sb.JwtKeyType, kind)(key=config)


def signer(alg, key, sub, iss=None, aud=None, **_):
    return sb.ClientJwtAuth(key=jwt_key("ENCODING", alg, key), audience=aud, issuer=iss, subject=sub, duration=HOUR)


def checker(alg, public, iss=None, aud=None, form="pem", **_):
    return sb.JwtAuth(key=jwt_key("DECODING", alg, public, form), audience=aud, issuer=iss, subject=None, duration=HOUR)


def spire(path, **_):
    return sb.SpireConfig(socket_path=path, target_spiffe_id=None, jwt_audiences=["slim"], trust_domains=[])


class Identity:
    def __init__(self):
        sb.initialize_with_configs(
            tracing_config=sb.new_tracing_config_with("warn", False, False, []),
            runtime_config=sb.new_runtime_config(),
            service_config=[sb.new_service_config()],
        )
        self.service = sb.get_global_service()
        self.apps = []

    def connect(self, server, auth=None):
        config = sb.new_insecure_client_config(server)
        if auth and auth["type"] == "basic":
            config.auth = sb.ClientAuthenticationConfig.BASIC(
                config=sb.BasicAuth(username=auth["username"], password=auth["password"]))
        elif auth and auth["type"] == "static_jwt":
            config.auth = sb.ClientAuthenticationConfig.STATIC_JWT(
                config=sb.StaticJwtAuth(token_file=auth["file"], duration=HOUR))
        elif auth and auth["type"] == "spire":  # from 1.4.0 on
            config.auth = sb.ClientAuthenticationConfig.SPIRE(config=spire(**auth))
        elif auth:
            config.auth = sb.ClientAuthenticationConfig.JWT(config=signer(**auth))
        self.conn = self.service.connect(config)

    def serve(self, endpoint, auth):
        config = sb.new_insecure_server_config(endpoint)
        if auth["type"] == "basic":
            config.auth = sb.ServerAuthenticationConfig.BASIC(
                config=sb.BasicAuth(username=auth["username"], password=auth["password"]))
        elif auth["type"] == "spire":
            config.auth = sb.ServerAuthenticationConfig.SPIRE(config=spire(**auth))
        else:
            config.auth = sb.ServerAuthenticationConfig.JWT(config=checker(**auth))
        self.service.run_server(config)

    def app(self, name, secret=None, **jwt):
        name = sb.Name(*name.split("/"))
        if secret:
            app = self.service.create_app_with_secret(name, secret)
        else:
            app = self.service.create_app(name, sb.IdentityProviderConfig.JWT(config=signer(**jwt)),
                                          sb.IdentityVerifierConfig.JWT(config=checker(**jwt)))
        self.apps.append(app)
        app.subscribe(name, self.conn)
        return {"name": str(app.name())}


def main():
    identity = Identity()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(identity, command.pop("op"))(**command) or {}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        OUT.write(json.dumps(answer) + "\n")
    os._exit(0)  # standard input ended: the test is over, and so is everything


main()
