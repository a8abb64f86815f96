#!/usr/bin/env python3
"""deploy/: compose files, the image, the unit of systemd and the shippers of logs say what is true.

Needs jsonschema and PyYAML (tests/e2e/deployed/requirements.txt), Debian's `prometheus`, `prometheus-alertmanager`,
`wget` and `systemd`, and the release binary. Nothing is run in a container: commands are run as they stand, on ports of this machine.
"""

import datetime
import ipaddress
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

import dockerfile
import harness as h
import jsonschema
import stack
import yaml
from harness import Agent, Iris, Process, Skipped, case, check, equal, wait_until

DEPLOY = h.ROOT / "deploy"
COMPOSE = ["compose.yaml", "compose.existing.yaml"]
GIVEN = {"MODEL_URL": "http://my-model:8000", "MODEL_NETWORK": "my-app_default"}
SCHEMA = json.loads((h.E2E / "deployed" / "compose-spec.json").read_text(encoding="utf-8"))
STAGES = dockerfile.stages((DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
OURS = {"sidelight:latest", "sidelight:no-iris"}
UNIT = DEPLOY / "sidelight.service"
CREDENTIALS = f"/run/credentials/{UNIT.name}"
# what `systemd-analyze security` may find, of 100
EXPOSURE = 20


def read(name):
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def interpolated(text, given):
    """`${NAME}`, `${NAME:-default}` and `${NAME:?why}`, as compose fills them in."""
    def value(match):
        name, kind, rest = match.groups()
        found = given.get(name, "")
        check(found or kind == "-", f"{name} has to be given: {rest}")
        return found or rest or ""
    return re.sub(r"\$\{(\w+)(?::([-?])([^}]*))?\}", value, text)


def filled(value, given):
    """All texts of a tree, interpolated: after it was read, so that an empty one stays a text."""
    if isinstance(value, dict):
        return {key: filled(below, given) for key, below in value.items()}
    if isinstance(value, list):
        return [filled(below, given) for below in value]
    return interpolated(value, given) if isinstance(value, str) else value


def compose(name, given=None):
    return filled(read(name), GIVEN if given is None else given)


def services():
    """(file, name, service) of all files."""
    return [(file, name, service) for file in COMPOSE for name, service in compose(file)["services"].items()]


def run(*command, env=None, cwd=None, patience=600):
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=patience, check=False, env=env or h.clean_environment(), cwd=cwd)
    return done.returncode, done.stdout


def defaults():
    """The ports of the built-in configuration."""
    code, text = run(h.BINARY, "config")
    equal(code, 0, "exit of `sidelight config`")
    config = yaml.safe_load(text)
    return [int(config[part]["listen"].rpartition(":")[2]) for part in ("proxy", "ops")]


# -- compose ------------------------------------------------------------------------------------

@case
def compose_files_are_what_the_specification_says():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    schema = jsonschema.Draft7Validator(SCHEMA)
    for name in COMPOSE:
        found = [f"{'.'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in schema.iter_errors(compose(name))]
        equal(found, [], name)
    # the schema is one that finds something
    for wrong in ({"helthcheck": {}}, {"restart": 7}, {"depends_on": {"a": {"condition": "service_well", "x": 1}}}):
        broken = compose(COMPOSE[0])
        broken["services"]["sidelight"].update(wrong)
        check(list(schema.iter_errors(broken)), f"{wrong} passed")


@case
def what_a_compose_file_needs_is_asked_for():
    for name in GIVEN:
        try:
            compose("compose.existing.yaml", {**GIVEN, name: ""})
        except h.Failed:
            continue
        raise h.Failed(f"{name} may be missing")
    compose("compose.yaml", {})


@case
def what_compose_mounts_and_waits_for_is_there():
    for file in COMPOSE:
        found = compose(file)
        volumes, networks, used = found.get("volumes", {}), found.get("networks", {}), set()
        for name, service in found["services"].items():
            at = f"{file}: {name}"
            for volume in service.get("volumes", []):
                source, target = volume.split(":")[:2]
                check(target.startswith("/"), f"{at}: {volume}")
                if source.startswith("."):
                    check((DEPLOY / source).exists(), f"{at}: {source} is not there")
                    check(volume.endswith(":ro"), f"{at}: {volume} may be written")
                elif source != "/":
                    check(source in volumes, f"{at}: {source} is no volume")
                    used.add(source)
            for network in service.get("networks", []):
                check(network in networks, f"{at}: {network} is no network")
            for other, how in service.get("depends_on", {}).items():
                check(other in found["services"], f"{at}: {other} is no service")
                equal(how, {"condition": "service_healthy"}, f"{at}: how it waits for {other}")
            check(service.get("healthcheck", {}).get("test"), f"{at} has no health check")
            check(service.get("restart") == "unless-stopped", f"{at}: restart {service.get('restart')}")
        equal(used, set(volumes), f"{file}: volumes that are used")


@case
def images_are_of_one_version_or_built_here_by_one_service():
    built = [(file, service["image"]) for file, _, service in services() if "build" in service]
    # two builds of one image go on at the same time, and the second finds that it exists
    equal(sorted({service["image"] for _, _, service in services()} & OURS), sorted(image for _, image in built),
          "images that are built, each by one service")
    equal([file for file, _ in built], COMPOSE, "files that build, one image each")
    equal(len({compose(file)["name"] for file in COMPOSE}), len(COMPOSE), "names of projects")
    for file, name, service in services():
        if "build" in service:
            build = service["build"]
            equal((DEPLOY / build["context"]).resolve(), h.ROOT, f"{file}: {name}: context")
            equal(h.ROOT / build["dockerfile"], DEPLOY / "Dockerfile", f"{file}: {name}: dockerfile")
            arguments = {i.rest.partition("=")[0] for stage in STAGES for i in dockerfile.of(stage, "ARG")}
            check(set(build.get("args", {})) <= arguments, f"{file}: {name}: {build.get('args')}, known: {arguments}")
        elif service["image"] in OURS:
            check((file, service["image"]) in built, f"{file}: nobody builds {service['image']}")
            equal(service["pull_policy"], "never", f"{file}: {name}: pull_policy")
            builders = [other for other, one in compose(file)["services"].items() if "build" in one]
            check(set(builders) <= set(service["depends_on"]), f"{file}: {name} does not wait for its image")
        else:
            check(re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), f"{file}: {name}: {service['image']}")


@case
def what_prometheus_asks_is_a_service_that_answers_there():
    found = compose("compose.yaml")["services"]
    prometheus = read("prometheus/prometheus.yml")
    targets = [target for job in prometheus["scrape_configs"] for config in job["static_configs"]
               for target in config["targets"]]
    targets += [target for manager in prometheus["alerting"]["alertmanagers"] for config in manager["static_configs"]
                for target in config["targets"]]
    ports = {"sidelight": defaults()[1], "node-exporter": 9100, "alertmanager": 9093, "localhost": 9090}
    for target in targets:
        host, _, port = target.rpartition(":")
        check(host in ("localhost", *found), f"{target} is no service")
        equal(int(port), ports[host], f"port of {host}")
    equal({target.rpartition(":")[0] for target in targets}, set(ports), "what is asked")
    jobs = {job["job_name"] for job in prometheus["scrape_configs"]}
    equal(jobs, {"ml-api", "node", "prometheus", "alertmanager"}, "jobs")
    equal({job["job_name"] for job in read("prometheus/prometheus-kubernetes.yml")["scrape_configs"]}, jobs,
          "jobs in Kubernetes")
    notices = {config["url"].split("/")[2].rpartition(":")[0] for receiver in read("alertmanager/alertmanager.yml")[
        "receivers"] for config in receiver["webhook_configs"]}
    if not notices <= set(found):
        for file in ("compose.yaml", "alertmanager/alertmanager.yml"):
            text = (DEPLOY / file).read_text(encoding="utf-8")
            check(re.search(r"alerts (fire and nobody is told|go nowhere)", text, re.I), f"{file} does not say so")
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in found["prometheus"]["volumes"]}
    file = found["prometheus"]["command"][0].partition("=")[2]
    equal(mounts[file], "./prometheus/prometheus.yml", "the configuration of Prometheus")
    for rules in prometheus["rule_files"]:
        folder = str(pathlib.PurePath(file).parent / pathlib.PurePath(rules).parent)
        check(list((DEPLOY / mounts[folder]).glob(pathlib.PurePath(rules).name)), f"{rules}: nothing is mounted there")


@case
def the_machine_is_seen_from_its_own_network_and_by_no_other_machine():
    for given in ({}, {"DOCKER_ADDRESS": "10.7.0.1"}):
        found = compose("compose.yaml", given)["services"]
        exporter = found["node-exporter"]
        equal((exporter["network_mode"], exporter["pid"]), ("host", "host"), "what node-exporter looks at")
        (listen,) = [word.partition("=")[2] for word in exporter["command"] if word.startswith("--web.listen-address=")]
        address, _, port = listen.rpartition(":")
        bound = ipaddress.ip_address(address)
        check(bound.is_private and not bound.is_unspecified, f"{listen} is open to all")
        # no service is found by name on the network of the machine
        there = dict(entry.rsplit(":", 1) for entry in found["prometheus"]["extra_hosts"])
        equal(there, {name: address for name, service in found.items() if service.get("network_mode") == "host"},
              "where Prometheus finds what is on the network of the machine")
        equal(exporter["healthcheck"]["test"][-1], f"http://{address}:{port}/", "what the health check asks")
        equal(address, given.get("DOCKER_ADDRESS", address), "the address that was given")


@case
def grafana_reads_the_dashboards_that_are_mounted_and_asks_prometheus():
    found = compose("compose.yaml")["services"]
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in found["grafana"]["volumes"]}
    provisioning = DEPLOY / mounts["/etc/grafana/provisioning"]
    providers = [p for file in (provisioning / "dashboards").glob("*.y*ml") for p in read(file)["providers"]]
    sources = [s for file in (provisioning / "datasources").glob("*.y*ml") for s in read(file)["datasources"]]
    check(providers and sources, "nothing is provisioned")
    for provider in providers:
        folder = provider["options"]["path"]
        check(folder in mounts, f"{folder}: nothing is mounted there")
        check(list((DEPLOY / mounts[folder]).rglob("*.json")), f"{folder} has no dashboards")
    equal([source["url"] for source in sources], ["http://prometheus:9090"], "what Grafana asks")
    check("prometheus" in found, "prometheus is no service")


@case
def ports_that_are_published_are_listened_on():
    listened = set(map(str, defaults()))
    for file, name, service in services():
        if name == "sidelight":
            published = {port.rpartition(":")[2] for port in service["ports"]}
            equal(published, listened, f"{file}: ports of {name}")
            # what changes something, and what everybody may read, is for this machine
            for port in service["ports"]:
                check(port.startswith("127.0.0.1:") or port.endswith(":8080"), f"{file}: {port} is open to all")
    exposed = {port for instruction in dockerfile.of(STAGES[-1], "EXPOSE") for port in instruction.words()}
    equal(exposed, listened, "EXPOSE")


def environments():
    """(where, environment) of everything that runs the agent."""
    image = dict(word.split("=", 1) for i in dockerfile.of(STAGES[-1], "ENV") for word in i.words())
    yield "Dockerfile", image
    for file, name, service in services():
        if service["image"] in OURS and name == "sidelight":
            yield f"{file}: {name}", {**image, **service.get("environment", {})}
    text = UNIT.read_text(encoding="utf-8")
    # what is left to be taken in, too
    yield UNIT.name, dict(line.split("=", 1) for line in re.findall(r"^#?Environment=(.*)$", text, re.M))


@case
def environments_are_what_sidelight_check_accepts():
    with tempfile.NamedTemporaryFile("w", prefix="sidelight-e2e-") as secret:
        secret.write("a-token-of-some-length-0123456789\n")
        secret.flush()
        accepted(secret.name)


def accepted(secret):
    for where, variables in environments():
        check(variables, f"{where}: no variables")
        for name in [name for name in variables if name.endswith("_FILE")]:
            # of a credential, which is there where systemd gives it
            check(pathlib.PurePath(variables[name]).is_relative_to(CREDENTIALS), f"{where}: {name}")
            variables = {**variables, name: secret}
        code, said = run(h.BINARY, "check", env=h.clean_environment(**variables))
        equal(code, 0, f"{where}: {said}")
        for name, value in variables.items():
            check(not value or f"(environment {name})" in said, f"{where}: {name} is not set: {said}")
        code, said = run(h.BINARY, "check", env=h.clean_environment(**variables, SIDELIGHT_STATE__DIRR="x"))
        equal(code, 64, f"{where}, with a variable that is none: {said}")


# -- health -------------------------------------------------------------------------------------

def health_commands():
    """(where, command) of each health check that asks by `sidelight`."""
    for instruction in dockerfile.of(STAGES[-1], "HEALTHCHECK"):
        form, _, command = instruction.rest.partition(" ")
        equal(form, "CMD", "form of HEALTHCHECK")
        yield "Dockerfile", json.loads(command)
    for file, name, service in services():
        kind, *command = service["healthcheck"]["test"]
        equal(kind, "CMD", f"{file}: {name}: form of the health check")
        if service["image"] in OURS:
            yield f"{file}: {name}", command


def probe(command, port):
    """The exit of a health check, asked of `port` of this machine in place of the container's."""
    equal(command[0], "sidelight", "what is asked with")
    there = [re.sub(r"^127\.0\.0\.1:\d+$", f"127.0.0.1:{port}", word) for word in command[1:]]
    return run(h.BINARY, *there, env=h.clean_environment(SIDELIGHT_OPS_LISTEN=f"0.0.0.0:{port}"))[0]


@case
def health_checks_succeed_and_fail_as_what_they_ask():
    of_model = [(where, command) for where, command in health_commands() if where.endswith(": model")]
    of_agent = [(where, command) for where, command in health_commands() if not where.endswith(": model")]
    check(of_model and len(of_agent) == 3, f"{of_model} {of_agent}")
    with Iris() as iris:
        for where, command in of_model:
            listen = compose("compose.yaml")["services"]["model"]["command"][2]
            equal(command[-1].rpartition(":")[2], listen.rpartition(":")[2], f"{where}: the port that is asked")
            equal(probe(command, iris.port), 0, f"{where}: exit")
        with Agent(upstream=iris.port) as agent:
            for where, command in of_agent:
                equal(probe(command, agent.ops), 0, f"{where}: exit")
            iris.stop()
            wait_until(lambda: agent.ask("GET", "/ready").status == 503, "the agent to notice that the model is gone")
            for where, command in of_agent:
                # for the model's sake nobody restarts the agent
                equal(probe(command, agent.ops), 0 if "live" in command else 1, f"{where}: exit without the model")
            agent.stop()
            for where, command in [*of_agent, *of_model]:
                equal(probe(command, agent.ops), 1, f"{where}: exit without anybody")


@case
def health_checks_of_prometheus_and_alertmanager_succeed_and_fail_with_them():
    if not all(map(shutil.which, ("prometheus", "prometheus-alertmanager", "wget"))):
        raise Skipped("prometheus, prometheus-alertmanager or wget is not installed")
    found = compose("compose.yaml")["services"]
    shipped = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    rules = DEPLOY / "prometheus" / "rules"
    for name, starts, known in (("prometheus", lambda: stack.Prometheus(shipped, rules), 9090),
                                ("alertmanager", stack.Alertmanager, 9093)):
        kind, *command = found[name]["healthcheck"]["test"]
        with starts() as program:
            there = [word.replace(f"127.0.0.1:{known}", f"127.0.0.1:{program.port}") for word in command]
            check(kind == "CMD" and there != command, f"{kind} {command}")
            equal(run(*there)[0], 0, f"exit of the health check of {name}")
        check(run(*there)[0] != 0, f"it succeeds without {name}")


# -- the image ----------------------------------------------------------------------------------

@case
def the_image_runs_sidelight_and_not_as_root():
    final = STAGES[-1]
    equal([i.words() for i in dockerfile.of(final, "ENTRYPOINT")], [["sidelight"]], "ENTRYPOINT")
    equal([i.rest for i in final if i.name == "CMD"], [], "CMD")
    (user,) = [i.rest for i in dockerfile.of(final, "USER")]
    check(all(int(part) >= 1000 for part in user.split(":")), f"USER {user}")
    for stage in STAGES:
        image = stage[0].words()[0]
        check(":" in image and not image.endswith(":latest"), f"FROM {image}")
    rust = re.match(r"rust:(\d+)\.(\d+)", STAGES[0][0].rest)
    least = re.search(r'rust-version = "(\d+)\.(\d+)"', (h.ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    check(tuple(map(int, rust.groups())) >= tuple(map(int, least.groups())), "the image's Rust is too old")
    # what the agent writes is made in the image, and is its own
    made = " ".join(i.rest for i in dockerfile.of(STAGES[0], "RUN"))
    owner = user.split(":")[0]
    for where, variables in environments():
        for name in ("SIDELIGHT_STATE__DIR", "SIDELIGHT_LOG__FILE__PATH"):
            if where != UNIT.name and variables.get(name):
                folder = variables[name] if name.endswith("DIR") else str(pathlib.PurePath(variables[name]).parent)
                check(re.search(rf"install -d -o {owner} -g \d+[^&]*/image{folder}\b", made), f"{where}: {folder}")


@case
def what_the_image_is_made_of_is_given_to_the_build_and_nothing_else():
    rules = (h.ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [name for stage in STAGES for i in dockerfile.of(stage, "COPY") if i.flag("from") is None
              for name in i.words()[:-1]]

    def missing(kept):
        files = dockerfile.context(h.ROOT, "\n".join(kept))
        return [name for name in copied if not dockerfile.sources(files, name)]
    equal(missing(rules), [], "what COPY does not find")
    for rule in rules:
        if rule.startswith("!"):
            check(missing([other for other in rules if other != rule]), f"nobody needs {rule}")
    given = {name.split("/")[0] for name in dockerfile.context(h.ROOT)}
    for name in (".git", "target", ".cache", "deploy", "docs", "fuzz"):
        check(name not in given, f"{name} is in the context")


def build(profile):
    """The commands that the image is made with, and the folder with nothing but what was copied for it.

    It is outside the checkout, whose .cargo/config.toml cargo would read as well. Always the same one, for cargo keeps
    what it built of each folder.
    """
    folder = pathlib.Path(tempfile.gettempdir(), f"sidelight-packaging-{os.getuid()}", "src")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    above = [str(parent) for parent in folder.parents if (parent / ".cargo").exists()]
    equal(above, [], "configurations of cargo above the folder")
    files, missing = dockerfile.context(h.ROOT), []
    for stage in STAGES:
        for instruction in dockerfile.of(stage, "COPY"):
            if instruction.flag("from") is None:
                into = folder if stage is STAGES[0] else tempfile.mkdtemp(prefix="sidelight-e2e-")
                missing += dockerfile.copy(h.ROOT, files, instruction, str(into) if stage is STAGES[0] else into + "/")
    equal(missing, [], "what COPY does not find")
    (made,) = [dockerfile.commands(instruction) for instruction in dockerfile.of(STAGES[0], "RUN")
               if instruction.rest.startswith("cargo ")]
    if profile != "release":
        made = [command.replace(" --release", "").replace("target/release/", "target/debug/") for command in made]
    return folder, made


def features_are_known(folder, cargo):
    """Without a build of each: what cargo would take for the image as it is by itself, without Iris and with OTLP."""
    told = re.search(r'--no-default-features --features "\$FEATURES"', cargo)
    check(told, f"FEATURES are all that is built with: {cargo}")
    (default,) = [i.rest.partition("=")[2] for i in dockerfile.of(STAGES[0], "ARG") if i.rest.startswith("FEATURES")]
    found = {}
    for features in (default, "", "iris,otlp", "no-such-feature"):
        tree = f"cargo tree --offline --locked --edges normal,build --prefix none {told[0]}"
        code, said = run("sh", "-c", tree, env={**os.environ, "FEATURES": features}, cwd=folder)
        equal(code == 0, features != "no-such-feature", f"whether FEATURES={features} is taken: {said[-1000:]}")
        found[features] = {line.split()[0] for line in said.splitlines() if line}
    check("prost" in found["iris,otlp"] and "prost" not in found[default], "OTLP is built where it is asked for")
    equal(default, "iris", "FEATURES by default")


@case
def what_is_copied_into_the_image_is_enough_to_build_it_and_without_iris_it_says_so():
    profile = os.environ.get("SIDELIGHT_PACKAGING_PROFILE", "release")
    folder, (cargo, *installs) = build(profile)
    check(cargo.startswith("cargo build ") and installs, f"{cargo} {installs}")
    features_are_known(folder, cargo)
    image = folder.parent / "image"
    shutil.rmtree(image, ignore_errors=True)
    (folder / "target").symlink_to(h.TARGET.resolve())
    env = {**os.environ, "CARGO_TARGET_DIR": str(h.TARGET.resolve()), "FEATURES": ""}
    try:
        code, said = run("sh", "-c", f"{cargo} --offline", env=env, cwd=folder, patience=1100)
        equal(code, 0, f"{cargo}: {said[-3000:]}")
        for command in installs:
            check(" /image/" in command, f"{command} is for another place")
            command = command.replace(" /image/", f" {shlex.quote(str(image))}/")
            if os.geteuid() != 0:
                command = re.sub(r" -[og] \d+", "", command)
            code, said = run("sh", "-c", command, cwd=folder)
            equal(code, 0, f"{command}: {said}")
    finally:
        # the build of the checkout, which has Iris, takes its place again
        shown = ["--release"] if profile == "release" else []
        run("cargo", "build", "--locked", "--offline", "--quiet", *shown, cwd=h.ROOT, env=dict(os.environ))
    what_was_installed(image)
    shutil.rmtree(folder.parent)


def what_was_installed(image):
    own = image / "usr" / "local" / "bin" / "sidelight"
    for command, expected in ((["run"], 64), (["check"], 64), (["iris"], 1)):
        code, said = run(own, *command, patience=30)
        equal(code, expected, f"exit of {command}: {said}")
        check("this build has no Iris server" in said, said)
    check("iris" not in run(own, "--help")[1], "help speaks of iris")
    equal(run(own, "check", env=h.clean_environment(SIDELIGHT_UPSTREAM="http://m"))[0], 0, "check with a model server")
    for where, variables in environments():
        if where != UNIT.name:
            state = image / variables["SIDELIGHT_STATE__DIR"].lstrip("/")
            check(state.is_dir(), f"{where}: {state} is not there")
            (user,) = [i.rest for i in dockerfile.of(STAGES[-1], "USER")]
            check(os.geteuid() != 0 or f"{state.stat().st_uid}:{state.stat().st_gid}" == user, f"{state}: owner")


# -- systemd ------------------------------------------------------------------------------------

def unit():
    """Keys of the unit, each with its values."""
    found = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@case
def systemd_takes_the_unit_and_finds_little_that_it_exposes():
    if shutil.which("systemd-analyze") is None:
        raise Skipped("systemd-analyze is not installed (Debian: systemd)")
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        there = pathlib.Path(folder, UNIT.name)
        text = UNIT.read_text(encoding="utf-8")
        there.write_text(text.replace("/usr/local/bin/sidelight", str(h.BINARY.resolve())), encoding="utf-8")
        code, said = run("systemd-analyze", "verify", there)
        equal((code, said), (0, ""), "systemd-analyze verify")
        options = ["--offline=true", f"--threshold={EXPOSURE}"]
        code, said = run("systemd-analyze", "--no-pager", "security", *options, there)
        equal(code, 0, said[-2000:])
        # the ceiling is one
        there.write_text(re.sub(r"^(Protect|Restrict|SystemCall|Private).*\n", "", text, flags=re.M), encoding="utf-8")
        check(run("systemd-analyze", "--no-pager", "security", *options, there)[0] != 0, "an open unit passes")


@case
def the_user_of_the_unit_is_made_by_its_first_line_and_its_group_reads_the_log_and_writes_nothing():
    found, text = unit(), UNIT.read_text(encoding="utf-8")
    (user,), (group,) = found["User"], found["Group"]
    check("DynamicUser" not in found, "nobody but root gets into /var/log/private")
    (line,) = re.findall(r"^#.*echo '(u .*)' > /etc/sysusers\.d/", text, re.M)
    check(f"usermod -aG {group} " in text, "who ships the log is not told which group to join")
    for mode in (found["LogsDirectoryMode"], found["StateDirectoryMode"]):
        equal(mode, ["0750"], "mode of a folder")
    equal(found["UMask"], ["0027"], "UMask")
    for name, _ in re.findall(r"^#?LoadCredential=(\w+):(\S+)$", text, re.M):
        check(f"_FILE={CREDENTIALS}/{name}\n" in text, f"nobody reads the credential {name}")
    check("LoadCredential=" in text, "no credential is shown")
    if shutil.which("systemd-sysusers") is None or os.geteuid() != 0:
        raise Skipped("systemd-sysusers is not installed (Debian: systemd), or this is not root")
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as root:
        file = pathlib.Path(root, "sidelight.conf")
        file.write_text(line + "\n", encoding="utf-8")
        pathlib.Path(root, "etc").mkdir()
        code, said = run("systemd-sysusers", f"--root={root}", file)
        equal(code, 0, said)
        fields = pathlib.Path(root, "etc", "passwd").read_text(encoding="utf-8").strip().split(":")
        equal((fields[0], fields[-1]), (user, "/usr/sbin/nologin"), "the user that is made")
        check(pathlib.Path(root, "etc", "group").read_text(encoding="utf-8").startswith(f"{group}:"), "its group")


@case
def what_the_unit_starts_starts_and_what_it_reloads_reloads():
    found = unit()
    (start,), (look, hang_up) = found["ExecStart"], found["ExecReload"]
    (state,), (logs,) = found["StateDirectory"], found["LogsDirectory"]
    text = UNIT.read_text(encoding="utf-8")
    check(f"SIDELIGHT_STATE__DIR=/var/lib/{state}\n" in text, "state.dir is not the unit's own")
    check(f"SIDELIGHT_LOG__FILE__PATH=/var/log/{logs}/" in text, "log.file is not in the unit's own folder")
    config = f"/etc/{found['ConfigurationDirectory'][0]}/sidelight.yaml"

    def here(command, file):
        check(config in command, f"{config} is not in {command}")
        program, *words = shlex.split(command)
        equal(pathlib.PurePath(program).name, "sidelight", "the program")
        return [h.BINARY, *(str(file) if word == config else word for word in words)]

    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder:
        file, (port, ops) = pathlib.Path(folder, "sidelight.yaml"), (h.free_port(), h.free_port())

        def write(log):
            file.write_text(json.dumps({"proxy": {"listen": f"{h.HOST}:{port}", "threads": 1},
                                        "ops": {"listen": f"{h.HOST}:{ops}"}, "log": log}))
        write({"logger": "one"})
        with Process(here(start, file), "sidelight", env=h.clean_environment()) as agent:
            wait_until(lambda: h.request(ops, "GET", "/ready").status == 200, "the agent to be ready")
            equal(run(*here(look, file))[0], 0, "what looks at the file, of a good one")
            write({"loger": "two"})
            equal(run(*here(look, file))[0], 64, "what looks at the file, of a wrong one")
            # at a start as well, and starting it again would not help
            equal(found["RestartPreventExitStatus"], [str(run(*here(start, file))[0])], "exit of a wrong file")
            write({"logger": "two"})
            equal(shlex.split(hang_up)[1:], ["-HUP", "$MAINPID"], "what reloads")
            equal(run("sh", "-c", hang_up.replace("$MAINPID", str(agent.pid)))[0], 0, "what reloads")

            def taken():
                events = [json.loads(line) for line in agent.lines]
                return any(e["message"] == "configuration reloaded" and e["changed"] == "log.logger" for e in events)
            wait_until(taken, "the configuration to be reloaded")
            # longer than the agent may take to leave
            deadline = re.search(r"deadline: (\d+)s", run(h.BINARY, "config")[1]).group(1)
            check(int(found["TimeoutStopSec"][0].rstrip("s")) > int(deadline) + 10, "TimeoutStopSec")
            agent.signal(signal.SIGTERM)
            equal(agent.wait(), 0, "exit status")


# -- shippers -----------------------------------------------------------------------------------

def named_fields():
    """By shipper: its file, and the fields of a line that it names."""
    vector = read("shippers/vector.yaml")
    code = vector["transforms"]["lines"]["source"]
    sink = vector["sinks"]["loki"]
    fields = set(re.findall(r"(?<![\w)])\.([a-z_]+)", code)) - {"message"}
    templates = [*sink["labels"].values(), *sink["structured_metadata"].values()]
    fields |= {name for text in templates for name in re.findall(r"\{\{ (\w+) \}\}", text)}
    yield "vector", vector["sources"]["sidelight"]["include"][0], fields, set(sink["labels"]) - {"job"}

    bit = read("shippers/fluent-bit.yaml")
    (tail,), (loki,) = bit["pipeline"]["inputs"], bit["pipeline"]["outputs"]
    parser = next(p for p in bit["parsers"] if p["name"] == tail["parser"])
    equal(loki["match"], tail["tag"], "what fluent-bit sends")
    labels = set(re.findall(r"\$(\w+)", loki["label_keys"]))
    yield "fluent-bit", tail["path"], {parser["time_key"], *labels,
                                       *re.findall(r"\$(\w+)", loki["structured_metadata"])}, labels

    (scrape,) = read("shippers/promtail.yaml")["scrape_configs"]
    stages = {name: stage for entry in scrape["pipeline_stages"] for name, stage in entry.items()}
    found = stages["json"]["expressions"]
    for name in (stages["timestamp"]["source"], *stages["labels"], *stages["structured_metadata"]):
        check(name in found, f"promtail takes {name} from nowhere")
    labels = set(stages["labels"])
    yield "promtail", scrape["static_configs"][0]["labels"]["__path__"], set(found.values()), labels


@case
def shippers_name_fields_that_are_in_the_log_and_label_by_few_values():
    with tempfile.TemporaryDirectory(prefix="sidelight-e2e-") as folder, Iris() as iris:
        log = pathlib.Path(folder, "sidelight.log")
        with Agent(upstream=iris.port, config={"log": {"file": {"path": str(log)}}}) as agent:
            trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
            agent.send("POST", "/predict", h.rows()[0], headers={"X-Request-ID": "one", "traceparent": trace})

            def line():
                lines = [json.loads(text) for text in log.read_text(encoding="utf-8").splitlines()]
                return next((found for found in lines if found.get("request_id") == "one"), None)
            found = wait_until(line, "the line of the request in the file")
    paths = set()
    for name, path, fields, labels in named_fields():
        paths.add(path)
        check("request_id" in fields, f"{name} does not keep the request id")
        equal(fields - set(found), set(), f"{name}: fields that no line has")
        # levels are four; everything else of a line is as many as there are requests, or models
        equal(labels, {"level"}, f"{name}: labels")
    equal(len(paths), 1, f"files that are read: {paths}")
    text = UNIT.read_text(encoding="utf-8")
    check(f"SIDELIGHT_LOG__FILE__PATH={paths.pop()}\n" in text, "shippers read another file than the unit writes")
    form = next(p for p in read("shippers/fluent-bit.yaml")["parsers"])["time_format"].replace("%L", "%f")
    at = datetime.datetime.strptime(found["timestamp"], form).replace(tzinfo=datetime.timezone.utc)
    check(abs(at.timestamp() - datetime.datetime.now().timestamp()) < 3600, f"{found['timestamp']} by {form} is {at}")


if __name__ == "__main__":
    h.main("deployed")
