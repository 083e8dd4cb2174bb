"""slimrpc: calls with typed ends over sessions of SLIM. Loaded when a program first asks for one of these names."""

# ruff: noqa: F401

from ._rpc_channel import Channel
from ._rpc_server import Context, RequestStream, ResponseSink, Server
from ._rpc_streams import (
    BidiStreamHandler,
    MulticastBidiStreamHandler,
    MulticastResponseReader,
    RequestStreamWriter,
    ResponseStreamReader,
)
from ._rpc_types import (
    MulticastStreamMessage,
    RpcCode,
    RpcError,
    RpcMessageContext,
    RpcMulticastItem,
    StreamMessage,
    StreamStreamHandler,
    StreamUnaryHandler,
    UnaryStreamHandler,
    UnaryUnaryHandler,
)

BidiStreamHandlerProtocol, ChannelProtocol, ContextProtocol = BidiStreamHandler, Channel, Context
MulticastBidiStreamHandlerProtocol, MulticastResponseReaderProtocol = (
    MulticastBidiStreamHandler,
    MulticastResponseReader,
)
RequestStreamProtocol, RequestStreamWriterProtocol = RequestStream, RequestStreamWriter
ResponseSinkProtocol, ResponseStreamReaderProtocol, ServerProtocol = ResponseSink, ResponseStreamReader, Server
StreamStreamHandlerImpl, StreamUnaryHandlerImpl = StreamStreamHandler, StreamUnaryHandler
UnaryStreamHandlerImpl, UnaryUnaryHandlerImpl = UnaryStreamHandler, UnaryUnaryHandler
