// A client of a node over grpc-go: grpc_go [-ca FILE [-cert FILE -key FILE]] [-authorization VALUE] ADDRESS SUBSCRIBE PUBLISH COUNT, both
// messages in hexadecimal. -ca: over TLS, trusting this authority; -cert: showing this certificate.
//
// Two connections: one subscribes and waits for the confirmation, the other publishes COUNT times. All must arrive, and both streams
// must end with OK after a half-close. Prints "ok".
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
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

func credentialsOf(ca, cert, key string) credentials.TransportCredentials {
	if ca == "" {
		return insecure.NewCredentials()
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	text, err := os.ReadFile(ca)
	check(err, "ca")
	config.RootCAs.AppendCertsFromPEM(text)
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		check(err, "certificate")
		config.Certificates = []tls.Certificate{pair}
	}
	return credentials.NewTLS(config)
}

func open(ctx context.Context, address string, how credentials.TransportCredentials) grpc.ClientStream {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(how),
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
	ca := flag.String("ca", "", "authority to trust")
	cert := flag.String("cert", "", "certificate to show")
	key := flag.String("key", "", "its key")
	authorization := flag.String("authorization", "", "value of this header")
	flag.Parse()
	if flag.NArg() != 4 {
		check(fmt.Errorf("ADDRESS SUBSCRIBE PUBLISH COUNT"), "arguments")
	}
	subscribe, err := hex.DecodeString(flag.Arg(1))
	check(err, "subscribe")
	publish, err := hex.DecodeString(flag.Arg(2))
	check(err, "publish")
	count, err := strconv.Atoi(flag.Arg(3))
	check(err, "count")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	if *authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", *authorization)
	}

	how := credentialsOf(*ca, *cert, *key)
	receiver, sender := open(ctx, flag.Arg(0), how), open(ctx, flag.Arg(0), how)
	var message []byte
	if err := receiver.SendMsg(&subscribe); err != io.EOF { // EOF: the status comes with the next read
		check(err, "subscribe")
	}
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
