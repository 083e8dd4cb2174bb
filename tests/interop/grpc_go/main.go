// A client of a node over grpc-go: grpc_go ADDRESS SUBSCRIBE PUBLISH COUNT, both messages in hexadecimal.
//
// Two connections: one subscribes and waits for the confirmation, the other publishes COUNT times. All must arrive, and both streams
// must end with OK after a half-close. Prints "ok".
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const method = "/dataplane.proto.v1.DataPlaneService/OpenChannel"

// Messages are bytes: the node's business, not ours.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (rawCodec) Name() string                       { return "proto" }

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "grpc_go: %s: %v\n", what, err)
		os.Exit(1)
	}
}

func open(ctx context.Context, address string) grpc.ClientStream {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	check(err, "client")
	desc := &grpc.StreamDesc{StreamName: "OpenChannel", ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(ctx, desc, method)
	check(err, "stream")
	_, err = stream.Header() // comes at once, before any message
	check(err, "headers")
	return stream
}

func finish(stream grpc.ClientStream) {
	check(stream.CloseSend(), "half-close")
	var message []byte
	if err := stream.RecvMsg(&message); err != io.EOF {
		check(fmt.Errorf("no orderly end: %v", err), "end")
	}
}

func main() {
	if len(os.Args) != 5 {
		check(fmt.Errorf("ADDRESS SUBSCRIBE PUBLISH COUNT"), "arguments")
	}
	subscribe, err := hex.DecodeString(os.Args[2])
	check(err, "subscribe")
	publish, err := hex.DecodeString(os.Args[3])
	check(err, "publish")
	count, err := strconv.Atoi(os.Args[4])
	check(err, "count")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	receiver, sender := open(ctx, os.Args[1]), open(ctx, os.Args[1])
	var message []byte
	check(receiver.SendMsg(&subscribe), "subscribe")
	check(receiver.RecvMsg(&message), "confirmation")
	go func() {
		for i := 0; i < count; i++ {
			check(sender.SendMsg(&publish), "publish")
		}
	}()
	for i := 0; i < count; i++ {
		check(receiver.RecvMsg(&message), "message")
		if len(message) < len(publish) {
			check(fmt.Errorf("%d bytes", len(message)), "message")
		}
	}
	finish(sender)
	finish(receiver)
	fmt.Println("ok")
}
