"""What a district may do in its account, with the clients that there are, and what none of them lets it do."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Callable

import asyncssh
import paramiko

from rollcall.cli.demo import HILLCREST, LAKESIDE
from tests.compose.stack import SETTINGS, Stack
from tests.compose.step import Step

DISTRICT, NEIGHBOR = LAKESIDE.district_id, HILLCREST.district_id
LOGGED = (
    'close "/inbox/secret.csv" bytes read 0 written 22',
    'posix-rename old "/inbox/secret.csv" new "/inbox/kept.csv"',
    'remove name "/inbox/kept.csv"',
)
FULL_BYTES = int(SETTINGS["SFTP_INBOX_MIB"]) * 1024 * 1024
LONG, SHORT = b"sourcedId\n" + b"1\n" * 100_000, b"sourcedId\n1\n"
REFUSED = (
    "put {file} /elsewhere.csv",
    "put {file} /receipts/mine.csv",
    "put {file} {receipt}",
    "rm {receipt}",
    "rename {receipt} /inbox/mine.csv",
    "chmod 600 {receipt}",
    "rename /receipts /inbox/receipts",
    "rmdir /receipts",
    "mkdir /elsewhere",
    "rename /inbox /elsewhere",
    "chmod 777 /",
    "get /etc/passwd {work}/got",
    "get /../../etc/passwd {work}/got",
    "ls /srv",
    "ls /proc",
    "ln -s /etc/passwd link.csv",
    "ln -s /receipts link",
    "ln {receipt} link.csv",
)


def refuse(stack: Stack) -> str:
    """Try to get out of the folder, and to change a receipt."""
    receipt = stack.listed(DISTRICT, "/receipts")[-1]
    before = stack.sftp(DISTRICT, f"get {receipt} {stack.work}/before")
    assert before.is_done, f"it cannot read its receipt: {before.said}"
    file = stack.work / "short.csv"
    file.write_bytes(SHORT)
    for command in REFUSED:
        told = command.format(file=file, receipt=receipt, work=stack.work)
        assert not stack.sftp(DISTRICT, told).is_done, f"`{command}` was done"
    assert stack.sftp(DISTRICT, f"get {receipt} {stack.work}/after").is_done
    assert (stack.work / "before").read_bytes() == (stack.work / "after").read_bytes()
    return f"{len(REFUSED)} ways refused; it reads its receipts"


def no_shell(stack: Stack) -> str:
    """Ask for a shell, a command, a tunnel both ways, and for Rollcall's own login."""
    ssh = ["ssh", *stack.sftp_command(DISTRICT)[2:-3]]
    ssh[ssh.index("-P")] = "-p"
    environment = stack.answering(stack.password(DISTRICT))
    target = f"{DISTRICT}@127.0.0.1"
    for asked in ([target, "id"], ["-tt", target], ["-W", "postgres:5432", target], ["-W", "127.0.0.1:22", target]):
        ended = subprocess.run(
            [*ssh, *asked], env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
        assert b"uid=" not in ended.stdout, "it ran a command"
        assert b"SSH-" not in ended.stdout, "it made a tunnel"
        assert "-W" not in asked or b"prohibited" in ended.stderr, f"not refused, but: {ended.stderr!r}"
    for password in ("", stack.password(DISTRICT)):
        assert not stack.sftp(f"{DISTRICT}--rollcall", "ls", password=password).is_done, "it logged in as Rollcall"
    return "no shell, no command, no tunnel; Rollcall's login is not theirs"


def lock_out(stack: Stack) -> str:
    """Take every right from the inbox and from a file in it, so that Rollcall could not read them."""
    file = stack.work / "short.csv"
    assert stack.sftp(DISTRICT, f"put {file} closed.csv", "chmod 000 closed.csv", "chmod 000 /inbox").is_done
    stack.until("the inbox is put right", lambda: _mode(stack, "inbox") == "2770")
    stack.until("so is the file", lambda: _mode(stack, "inbox/closed.csv") == "660")
    said = "/inbox had the rights 0000; put right"
    assert f"{DISTRICT}: {said}" in stack.logs("sftp")
    stack.inside("sftp", "test", "-e", f"/srv/sftp/{DISTRICT}/.put_right")
    assert not stack.sftp(DISTRICT, "rm /.put_right").is_done
    assert stack.sftp(DISTRICT, "rm closed.csv").is_done
    return "put right at the next look, and said in the service's log; the next delivery tells of it"


def clients(stack: Stack) -> str:
    """Upload, overwrite, rename and delete with each client that is here; resume with those that can."""
    password = stack.password(DISTRICT)
    files = {"long": LONG, "short": SHORT, "half": LONG[: len(LONG) // 2]}
    for name, content in files.items():
        (stack.work / f"{name}.csv").write_bytes(content)
    tried = []
    for name, use in CLIENTS.items():
        if name in ("lftp", "curl") and not shutil.which(name):
            continue
        use(stack, password)
        left = stack.listed(DISTRICT, "/inbox")
        assert not left, f"{name} left {left}"
        tried.append(name)
    return f"done by {', '.join(tried)}"


def fill(stack: Stack) -> str:
    """Upload more than an inbox holds, delete it, and go on."""
    large, file = stack.work / "large.csv", stack.work / "short.csv"
    large.write_bytes(LONG * (FULL_BYTES // len(LONG) + 1))
    stack.sftp(DISTRICT, f"put {large}")
    stack.until("it may not upload any more", lambda: not stack.sftp(DISTRICT, f"put {file} more.csv").is_done)
    assert "more.csv" not in stack.listed(DISTRICT, "/inbox")
    assert stack.sftp(NEIGHBOR, f"put {file}", "rm short.csv").is_done, "another district is held up"
    assert stack.sftp(DISTRICT, "rm large.csv").is_done
    stack.until("it may upload again", lambda: stack.sftp(DISTRICT, f"put {file}", "rm short.csv").is_done)
    assert f"{DISTRICT}: /inbox is full" in stack.logs("sftp")
    return "refused until it has deleted; said in the service's log"


def logged(stack: Stack) -> str:
    """Upload something, and look for it in the service's log."""
    file = stack.work / "secret.csv"
    file.write_bytes(b"sourcedId\nDo not tell\n")
    assert stack.sftp(DISTRICT, f"put {file}", "rename secret.csv kept.csv", "rm kept.csv").is_done
    said = stack.logs("sftp")
    for line in LOGGED:
        assert f"{DISTRICT}: {line}" in said, f"the log has no {line}"
    assert "Do not tell" not in said
    return "file, bytes and district are logged, no content"


def _openssh(stack: Stack, password: str) -> None:
    got = stack.work / "got.csv"
    answer = stack.sftp(
        DISTRICT,
        f"put {stack.work}/short.csv x.csv",
        f"put {stack.work}/half.csv x.csv",
        f"reput {stack.work}/long.csv x.csv",
        "rename x.csv y.csv",
        f"get y.csv {got}",
        "rm y.csv",
        password=password,
    )
    assert answer.is_done, answer.said
    assert got.read_bytes() == LONG


def _lftp(stack: Stack, password: str) -> None:
    got = stack.work / "got-lftp.csv"
    script = f"""
        set sftp:connect-program "ssh -a -x -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        set net:max-retries 1
        open -u {DISTRICT},{password} sftp://127.0.0.1:{stack.ports.sftp}
        put {stack.work}/short.csv -o x.csv
        put {stack.work}/half.csv -o x.csv
        put -c {stack.work}/long.csv -o x.csv
        mv x.csv y.csv
        get y.csv -o {got}
        rm y.csv
    """
    ended = subprocess.run(["lftp", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, f"lftp: {ended.stderr[-300:]}"
    assert got.read_bytes() == LONG


def _curl(stack: Stack, password: str) -> None:
    url = f"sftp://127.0.0.1:{stack.ports.sftp}/inbox/"
    login = ["curl", "--silent", "--show-error", "--insecure", "--user", f"{DISTRICT}:{password}"]
    for name in ("short", "long"):
        subprocess.run([*login, "--upload-file", f"{stack.work}/{name}.csv", f"{url}x.csv"], check=True)
    got = subprocess.run([*login, f"{url}x.csv"], capture_output=True, check=True).stdout
    assert got == LONG
    after = ["--quote", "rename /inbox/x.csv /inbox/y.csv", "--quote", "rm /inbox/y.csv"]
    subprocess.run([*login, *after, url], capture_output=True, check=True)


def _paramiko(stack: Stack, password: str) -> None:
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", stack.ports.sftp)))
    try:
        transport.connect(username=DISTRICT, password=password)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        client.put(f"{stack.work}/short.csv", "x.csv")
        client.put(f"{stack.work}/half.csv", "x.csv")
        with client.open("x.csv", "ab") as target:
            target.write(LONG[len(LONG) // 2 :])
        client.rename("x.csv", "y.csv")
        with client.open("y.csv", "rb") as source:
            assert source.read() == LONG
        client.remove("y.csv")
    finally:
        transport.close()


def _asyncssh(stack: Stack, password: str) -> None:
    got = stack.work / "got-asyncssh.csv"

    async def use() -> None:
        where = {"port": stack.ports.sftp, "username": DISTRICT, "password": password}
        async with (
            asyncssh.connect("127.0.0.1", known_hosts=None, client_keys=[], **where) as connection,
            connection.start_sftp_client() as client,
        ):
            await client.put(f"{stack.work}/short.csv", "x.csv")
            await client.put(f"{stack.work}/half.csv", "x.csv")
            async with client.open("x.csv", "ab") as target:
                await target.write(LONG[len(LONG) // 2 :])
            await client.rename("x.csv", "y.csv")
            await client.get("y.csv", got)
            await client.remove("y.csv")

    asyncio.run(use())
    assert got.read_bytes() == LONG


CLIENTS: dict[str, Callable[[Stack, str], None]] = {
    "OpenSSH": _openssh,
    "lftp": _lftp,
    "curl": _curl,
    "paramiko": _paramiko,
    "asyncssh": _asyncssh,
}


def _mode(stack: Stack, path: str) -> str:
    return stack.inside("sftp", "stat", "--format", "%a", f"/srv/sftp/{DISTRICT}/{path}").strip()


STEPS = (
    Step("Leave the folder, or change a receipt, over SFTP", refuse),
    Step("Ask for a shell, a command, a tunnel, Rollcall's own login", no_shell),
    Step("Take every right from the inbox (`chmod 000`)", lock_out),
    Step("Upload, overwrite, resume, rename and delete with real clients", clients),
    Step("Upload, and read the service's log", logged),
    Step("Fill an inbox", fill),
)
