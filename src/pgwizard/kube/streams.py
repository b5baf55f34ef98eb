"""Commands and ports of pods over a WebSocket, in the kubelet's framing: the first byte of a message is its channel.

The caller brings the WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import aiohttp

from pgwizard.errors import ApiError, ClusterError, DeadlineError, Unreachable
from pgwizard.kube.api import ByteStream, ExecResult
from pgwizard.kube.http import Call, Http
from pgwizard.text import plain

STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
PORT_DATA, PORT_ERROR = 0, 1
CHUNK_BYTES = 1 << 15
OUTPUT_BYTES = 1 << 26
GRACE_SECONDS = 2.0


async def run(http: Http, call: Call, stdin: bytes, timeout_seconds: float) -> ExecResult:
    """Run the command of ``call``. Raises DeadlineError; the command itself may then go on in the pod."""
    try:
        async with (
            asyncio.timeout(timeout_seconds),
            http.websocket(call, ("v5.channel.k8s.io", "v4.channel.k8s.io")) as socket,
        ):
            if stdin and socket.protocol != "v5.channel.k8s.io":
                raise ClusterError(
                    f"cannot {call.purpose}: this API server cannot end a command's input",
                    hint="Use Kubernetes 1.30 or later.",
                )
            writer = asyncio.create_task(_feed(socket, stdin))
            try:
                output = await _outcome(http, call, socket)
            finally:
                writer.cancel()
                # A failed write (the command stopped reading) is not an error: its exit code counts.
                await asyncio.gather(writer, return_exceptions=True)
    except TimeoutError:
        raise DeadlineError(f"cannot {call.purpose}: it did not end within {timeout_seconds:g} s") from None
    return ExecResult(bytes(output[STDOUT]), bytes(output[STDERR]), _exit_code(call, bytes(output[STATUS])))


@contextlib.asynccontextmanager
async def port(http: Http, call: Call) -> AsyncIterator[ByteStream]:
    """A connection to the port of ``call``."""
    async with http.websocket(call, ("v4.channel.k8s.io",)) as socket:
        yield _Port(http, call, socket)


class _Port:
    """Channel 0 has the data, channel 1 errors; both begin with the port's number in two bytes."""

    def __init__(self, http: Http, call: Call, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._http = http
        self._call = call
        self._socket = socket
        self._begun_channels: set[int] = set()

    async def read(self) -> bytes:
        with self._http.translate_errors(self._call):
            while (frame := await _frame(self._socket)) is not None:
                channel, data = frame
                content = data if channel in self._begun_channels else data[2:]
                self._begun_channels.add(channel)
                if channel == PORT_ERROR and content:
                    text = content.decode(errors="replace")
                    # The text before it is ids of the runtime, which would hide the reason.
                    _, words, reason = text.partition("failed to connect to ")
                    raise Unreachable(
                        f"cannot {self._call.purpose}: {plain(words + reason or text)}",
                        hint="Check that the container listens on this port.",
                    )
                if channel == PORT_DATA and content:
                    return content
        return b""

    async def write(self, data: bytes) -> None:
        try:
            with self._http.translate_errors(self._call):
                for start in range(0, len(data), CHUNK_BYTES):
                    await self._socket.send_bytes(bytes([PORT_DATA]) + data[start : start + CHUNK_BYTES])
        except Unreachable:
            # The kubelet sends the reason and hangs up: it may still be unread.
            while await self.read():
                pass
            raise


async def _outcome(http: Http, call: Call, socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytearray]:
    output = {STDOUT: bytearray(), STDERR: bytearray(), STATUS: bytearray()}
    with http.translate_errors(call), contextlib.suppress(TimeoutError):
        async with asyncio.timeout(None) as grace:
            while (frame := await _frame(socket)) is not None:
                channel, data = frame
                if channel in output:
                    output[channel] += data
                if channel == STATUS:
                    # This is the last message: do not wait for the server to hang up.
                    grace.reschedule(asyncio.get_running_loop().time() + GRACE_SECONDS)
                if len(output[STDOUT]) + len(output[STDERR]) > OUTPUT_BYTES:
                    raise ClusterError(f"cannot {call.purpose}: it wrote more than {OUTPUT_BYTES >> 20} MiB")
    return output


async def _frame(socket: aiohttp.ClientWebSocketResponse) -> tuple[int, bytes] | None:
    """(channel, data); None once the other side has closed."""
    while True:
        message = await socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            if message.data:
                return message.data[0], message.data[1:]
        elif message.type is aiohttp.WSMsgType.ERROR:
            raise aiohttp.ClientConnectionError
        elif message.type is not aiohttp.WSMsgType.TEXT:
            return None


async def _feed(socket: aiohttp.ClientWebSocketResponse, stdin: bytes) -> None:
    """Runs beside the reader: otherwise a command that writes while it reads would block both ends."""
    if not stdin:
        return
    for start in range(0, len(stdin), CHUNK_BYTES):
        await socket.send_bytes(bytes([STDIN]) + stdin[start : start + CHUNK_BYTES])
        # Notice a hang-up first: asyncio logs every write to a dead connection.
        await asyncio.sleep(0)
    await socket.send_bytes(bytes([CLOSE, STDIN]))


def _exit_code(call: Call, status: bytes) -> int | None:
    """From the Status that the kubelet sends last; None where it did not come."""
    try:
        answer = json.loads(status)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    if answer.get("status") == "Success":
        return 0
    if answer.get("reason") == "NonZeroExitCode":
        for cause in (answer.get("details") or {}).get("causes") or []:
            if cause.get("reason") == "ExitCode" and str(cause.get("message")).isdecimal():
                return int(cause["message"])
    # Never started. The runtime's chain of causes is long, and only its end is useful.
    text = str(answer.get("message") or "").rpartition("unable to start container process: ")[2]
    raise ApiError(
        f"cannot {call.purpose}: {plain(text)}",
        status=int(answer.get("code") or 500),
        reason=plain(str(answer.get("reason") or ""), 60),
        hint="Check that the container is running, and that its image has this command.",
    )
