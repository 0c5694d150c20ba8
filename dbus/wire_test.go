package dbus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	godbus "github.com/godbus/dbus/v5"
)

func signal(path, member string, body ...any) *godbus.Message {
	msg := &godbus.Message{Type: godbus.TypeSignal, Body: body, Headers: map[godbus.HeaderField]godbus.Variant{
		godbus.FieldPath:      godbus.MakeVariant(godbus.ObjectPath(path)),
		godbus.FieldInterface: godbus.MakeVariant("org.example.Iface"),
		godbus.FieldMember:    godbus.MakeVariant(member),
		godbus.FieldSender:    godbus.MakeVariant(":1.1"),
	}}
	if len(body) > 0 {
		msg.Headers[godbus.FieldSignature] = godbus.MakeVariant(godbus.SignatureOf(body...))
	}
	return msg
}

func encode(t testing.TB, msg *godbus.Message, order binary.ByteOrder) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := msg.EncodeTo(&b, order); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHeaderFields(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, path := range []string{"/a", "/org/freedesktop/systemd1/unit/msup_2dweb_2eservice"} {
			b := encode(t, signal(path, "PropertiesChanged", "body", uint32(1)), order)
			h, err := parseFixed(b)
			if err != nil || h.size != len(b) || h.kind != signalMessage {
				t.Fatalf("parseFixed: %+v %v", h, err)
			}
			gotPath, gotMember, ok := h.fields(b)
			if string(gotPath) != path || string(gotMember) != "PropertiesChanged" || !ok {
				t.Errorf("fields: %q %q %v", gotPath, gotMember, ok)
			}
		}
	}
}

func FuzzHeaderFields(f *testing.F) {
	f.Add(encode(f, signal("/a/b", "M", "x"), binary.LittleEndian))
	f.Add(encode(f, signal("/a/b", "M"), binary.BigEndian))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 16 {
			return
		}
		h, err := parseFixed(b)
		if err != nil || h.size > len(b) {
			return
		}
		path, member, ok := h.fields(b[:h.size])
		if !ok {
			return
		}
		// Where godbus takes the message, it finds the same.
		msg, err := godbus.DecodeMessage(bytes.NewReader(b[:h.size]))
		if err != nil || msg.Type != godbus.TypeSignal {
			return
		}
		if p, _ := msg.Headers[godbus.FieldPath].Value().(godbus.ObjectPath); string(p) != string(path) {
			t.Errorf("path %q, godbus says %q", path, p)
		}
		if m, _ := msg.Headers[godbus.FieldMember].Value().(string); m != string(member) {
			t.Errorf("member %q, godbus says %q", member, m)
		}
	})
}

func TestFilter(t *testing.T) {
	keep := filter("msup")
	for _, tt := range []struct {
		path, member string
		want         bool
	}{
		{unitRoot + "msup_2dweb_2eservice", "PropertiesChanged", true},
		{unitRoot + "msup_2eslice", "PropertiesChanged", true},
		{unitRoot + "shutdown_2etarget", "PropertiesChanged", false},
		{unitRoot + "msu_70", "PropertiesChanged", false},
		{managerPath + "/job/12", "PropertiesChanged", false},
		{managerPath, "JobRemoved", true},
		{managerPath, "UnitRemoved", true},
		{managerPath, "Reloading", true},
		{managerPath, "UnitNew", false},
		{managerPath, "JobNew", false},
		{driverPath, "NameOwnerChanged", true},
		{"/", "X", false},
	} {
		if got := keep([]byte(tt.path), []byte(tt.member)); got != tt.want {
			t.Errorf("%s %s: %v", tt.path, tt.member, got)
		}
	}
	if !filter("")([]byte(unitRoot+"shutdown_2etarget"), nil) {
		t.Error("without a prefix every unit is wanted")
	}
}

// A stream that arrives byte by byte gives the messages that are kept, whole and in order.
func TestReadKeepsWholeMessages(t *testing.T) {
	var stream, want bytes.Buffer
	for i := range 50 {
		path := "/keep"
		if i%3 == 0 {
			path = "/drop"
		}
		b := encode(t, signal(path, "M", strings.Repeat("x", i*5000)), binary.LittleEndian)
		stream.Write(b)
		if path == "/keep" {
			want.Write(b)
		}
	}
	for name, in := range map[string]io.Reader{"at once": bytes.NewReader(stream.Bytes()), "bytes": iotest.OneByteReader(bytes.NewReader(stream.Bytes()))} {
		w := &wire{
			br: bufio.NewReaderSize(in, readBuffer), begun: true,
			keep: func(path, _ []byte) bool { return string(path) == "/keep" },
		}
		got, err := io.ReadAll(w)
		if err != nil || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s: %d bytes instead of %d, %v", name, len(got), want.Len(), err)
		}
	}
	w := &wire{br: bufio.NewReaderSize(strings.NewReader("HTTP/1.1 200 OK\r\n"), readBuffer), begun: true}
	if _, err := io.ReadAll(w); err == nil {
		t.Error("no error for what is not D-Bus")
	}
}

func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			serve(nc)
		}
	}()
	return path
}

func TestHandshakeIsOneWriteAndNothingFollows(t *testing.T) {
	got := make(chan string, 1)
	path := listen(t, func(nc net.Conn) {
		b := make([]byte, 4096)
		n, _ := nc.Read(b)
		got <- string(b[:n])
		_, _ = io.WriteString(nc, "DATA\r\nOK 1234\r\n")
	})
	w, err := dialWire(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if s := <-got; s != "\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n" {
		t.Errorf("handshake %q", s)
	}
}

func TestHandshakeThatFails(t *testing.T) {
	for _, answer := range []string{"REJECTED EXTERNAL\r\n", "DATA\r\nREJECTED\r\n", "\r\n", ""} {
		path := listen(t, func(nc net.Conn) {
			_, _ = nc.Read(make([]byte, 4096))
			_, _ = io.WriteString(nc, answer)
			nc.Close()
		})
		if _, err := dialWire(t.Context(), path, nil); err == nil {
			t.Errorf("%q: no error", answer)
		}
	}
}

// A server that accepts and says nothing, as a manager that hangs does.
func TestHandshakeObeysItsContext(t *testing.T) {
	accepted := make(chan net.Conn, 1)
	path := listen(t, func(nc net.Conn) { accepted <- nc })
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	go func() { defer cancel(cause); <-accepted }()
	if _, err := dialWire(ctx, path, nil); !errors.Is(err, cause) {
		t.Errorf("dial: %v", err)
	}
}

// Neither a call nor Close waits for a manager that does not read.
func TestWriteNeverWaits(t *testing.T) {
	peer := make(chan net.Conn, 1) // holds on to it: a collected connection is closed
	path := listen(t, func(nc net.Conn) {
		peer <- nc
		_, _ = nc.Read(make([]byte, 4096))
		_, _ = io.WriteString(nc, "DATA\r\nOK 1234\r\n")
	})
	w, err := dialWire(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.begun = true
	for range 100 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	(<-peer).Close()
	if _, err := w.Write([]byte{1}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
}
