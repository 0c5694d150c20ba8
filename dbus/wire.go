package dbus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// wire is the socket below godbus. It does three things that godbus' own transport does
// not, each measured against PID 1:
//
//   - It authenticates as sd-bus does, with everything up to BEGIN in one write, and sends
//     nothing more until the server's OK is here. A first call that PID 1 reads together with
//     BEGIN is not looked at until another message comes (systemd 252: 100 of 100; sent
//     after the OK, 0 of 4000 on a busy machine).
//   - It drops the signals of units nobody asked for before anything is decoded. One start
//     makes about 20 signals, most of them about the targets and slices beside it.
//   - It queues what is written and sends it from a goroutine of its own, so that a call
//     obeys its context and Close never waits while the manager does not read.
type wire struct {
	nc net.Conn
	br *bufio.Reader
	// keep tells whether a signal is worth decoding.
	keep func(path, member []byte) bool
	// take, when set, handles a signal; false = godbus shall. It runs in godbus' reader.
	take func(h fixedHeader, msg, path, member []byte) bool

	local []byte // answers to godbus' half of the authentication, which has happened already
	begun bool   // godbus has said BEGIN
	buf   []byte // the last message read
	rest  []byte // the part of buf that godbus has not taken

	mu     sync.Mutex
	out    []byte // not yet written
	wake   chan struct{}
	closed chan struct{}
	once   sync.Once
}

// readBuffer is large enough for the signals of several starts in one read.
const readBuffer = 64 << 10

// maxMessage is the specification's limit for one message.
const maxMessage = 1 << 27

// dialWire connects to a socket ("@…" in the abstract namespace) and authenticates as the user this process runs as.
func dialWire(ctx context.Context, path string, keep func(path, member []byte) bool) (*wire, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	w := &wire{
		nc: nc, br: bufio.NewReaderSize(nc, readBuffer), keep: keep,
		wake: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	err = w.authenticate()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		nc.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	go w.write()
	return w, nil
}

// authenticate speaks the EXTERNAL mechanism of the D-Bus specification, the user taken
// from the socket (an empty initial response).
func (w *wire) authenticate() error {
	if _, err := io.WriteString(w.nc, "\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"); err != nil {
		return err
	}
	for _, want := range []string{"DATA", "OK "} {
		line, err := w.br.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("cannot authenticate: %w", err)
		}
		line = bytes.TrimRight(line, "\r\n")
		if !bytes.HasPrefix(line, []byte(want)) {
			return fmt.Errorf("cannot authenticate: the server says %q", line)
		}
	}
	return nil
}

// Read hands the bytes of one kept message after the other to godbus.
func (w *wire) Read(p []byte) (int, error) {
	if !w.begun {
		if len(w.local) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
		n := copy(p, w.local)
		w.local = w.local[n:]
		return n, nil
	}
	for len(w.rest) == 0 {
		if err := w.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.rest)
	w.rest = w.rest[n:]
	return n, nil
}

// next reads one message and leaves it in rest if it is to be kept.
func (w *wire) next() error {
	head, err := w.br.Peek(16)
	if err != nil {
		return err
	}
	h, err := parseFixed(head)
	if err != nil {
		return err
	}
	if cap(w.buf) < h.size || cap(w.buf) > 16*readBuffer {
		w.buf = make([]byte, max(h.size, readBuffer))
	}
	w.buf = w.buf[:h.size]
	if _, err := io.ReadFull(w.br, w.buf); err != nil {
		return err
	}
	if h.kind == signalMessage {
		path, member, ok := h.fields(w.buf)
		if ok && (!w.keep(path, member) || w.take != nil && w.take(h, w.buf, path, member)) {
			return nil
		}
	}
	w.rest = w.buf
	return nil
}

// Write takes one whole message from godbus.
func (w *wire) Write(p []byte) (int, error) {
	if !w.begun {
		w.answer(p)
		return len(p), nil
	}
	w.mu.Lock()
	w.out = append(w.out, p...)
	w.mu.Unlock()
	select {
	case <-w.closed:
		return 0, net.ErrClosed
	case w.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

// answer plays the server to godbus' Auth, the only function of godbus that starts
// reading messages.
func (w *wire) answer(p []byte) {
	switch line := string(bytes.Trim(p, "\x00\r\n")); {
	case line == "AUTH":
		w.local = []byte("REJECTED EXTERNAL\r\n")
	case line == "BEGIN":
		w.begun = true
	case line != "":
		w.local = []byte("OK 0\r\n")
	}
}

// write sends what is queued, all of it at once.
func (w *wire) write() {
	var spare []byte
	for {
		select {
		case <-w.wake:
		case <-w.closed:
			return
		}
		w.mu.Lock()
		buf := w.out
		w.out = spare[:0]
		w.mu.Unlock()
		if _, err := w.nc.Write(buf); err != nil {
			w.Close()
			return
		}
		if spare = buf; cap(spare) > readBuffer {
			spare = nil
		}
	}
}

func (w *wire) Close() error {
	err := error(nil)
	w.once.Do(func() {
		close(w.closed)
		err = w.nc.Close()
	})
	return err
}

const signalMessage = 4

// fixedHeader is the first part of a message (D-Bus specification, "Message Format").
type fixedHeader struct {
	order  binary.ByteOrder
	kind   byte
	fieldN int // length of the header fields
	size   int // of the whole message
}

func parseFixed(b []byte) (fixedHeader, error) {
	h := fixedHeader{order: binary.LittleEndian, kind: b[1]}
	switch b[0] {
	case 'l':
	case 'B':
		h.order = binary.BigEndian
	default:
		return h, errors.New("not a D-Bus message")
	}
	body, fields := h.order.Uint32(b[4:]), h.order.Uint32(b[12:])
	if body > maxMessage || fields > maxMessage {
		return h, errors.New("a D-Bus message is too long")
	}
	h.fieldN = int(fields)
	h.size = 16 + align(h.fieldN, 8) + int(body)
	return h, nil
}

// fields finds the path and the member of a message. It is not ok when something is not
// as expected; godbus shall judge such a message.
func (h fixedHeader) fields(msg []byte) (path, member []byte, ok bool) {
	msg = msg[:16+h.fieldN]
	for pos := 16; pos < len(msg); {
		pos = align(pos, 8)
		// A field is a byte and a variant, whose signature is one basic type here.
		if pos+4 > len(msg) || msg[pos+1] != 1 || msg[pos+3] != 0 {
			return nil, nil, false
		}
		code, kind := msg[pos], msg[pos+2]
		pos += 4
		var value []byte
		switch kind {
		case 'u':
			pos += 4
			continue
		case 's', 'o':
			if pos+4 > len(msg) {
				return nil, nil, false
			}
			n := h.order.Uint32(msg[pos:])
			pos += 4
			if n >= uint32(len(msg)-pos) {
				return nil, nil, false
			}
			value = msg[pos : pos+int(n)]
			pos += int(n) + 1
		case 'g':
			if pos >= len(msg) {
				return nil, nil, false
			}
			pos += int(msg[pos]) + 2
		default:
			return nil, nil, false
		}
		switch code {
		case 1:
			path = value
		case 3:
			member = value
		}
	}
	return path, member, path != nil && member != nil
}

func align(n, to int) int { return (n + to - 1) &^ (to - 1) }
