// Package probe asks a program whether it is well: by a connection, a request, a file, the
// sockets its processes listen on, or what it has written. It decides nothing: [Probe] asks
// once and tells what came of it. A command (exec) is not run here but by systemd, so that
// it costs the one who asks nothing; [Sink] takes its output.
package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Kind says what a probe does.
type Kind string

const (
	HTTP Kind = "http" // a GET request is answered with a status in [Spec.Status]
	TCP  Kind = "tcp"  // a connection to HOST:PORT is taken
	Unix Kind = "unix" // a connection to a Unix socket is taken
	File Kind = "file" // the file exists
	Port Kind = "port" // a process of the program listens on a TCP port
	Exec Kind = "exec" // a command exits with status 0; [Probe] does not run it

	// These are not asked. The program writes a line that matches Where, a regular expression.
	Log Kind = "log"
	// Or it tells systemd, by sd_notify(3).
	Notify       Kind = "notify"        // READY=1 (Type=notify, systemd.service(5))
	NotifyReload Kind = "notify-reload" // … and by RELOADING=1 and READY=1 how a reload goes (systemd 253)
	Watchdog     Kind = "watchdog"      // WATCHDOG=1, again and again (WatchdogSec=)
)

// Asked reports whether the program is asked, and does not tell by itself.
func (k Kind) Asked() bool { return k != "" && !k.Notifies() && k != Watchdog && k != Log }

// Notifies reports whether the program tells systemd when it is ready.
func (k Kind) Notifies() bool { return k == Notify || k == NotifyReload }

// Spec is what to ask. It is written down as JSON.
type Spec struct {
	Kind Kind `json:"kind"`
	// Where is the URL, HOST:PORT, absolute path, or number of a port ("" = any).
	// Of a watchdog it is Every in words.
	Where string `json:"where,omitempty"`
	// Path and Argv are what to execute.
	Path string   `json:"path,omitempty"`
	Argv []string `json:"argv,omitempty"`
	// Status are the statuses of HTTP that are well; empty = 200 to 399.
	Status []StatusRange `json:"status,omitempty"`
	// Every is the longest time between two WATCHDOG=1 of a watchdog.
	Every time.Duration `json:"every,omitempty"`
}

// StatusRange is the statuses of HTTP from From to To.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// String is what is asked, in words: "tcp 127.0.0.1:5432".
func (s Spec) String() string {
	if s.Kind.Notifies() {
		return "READY=1"
	}
	if s.Kind == Log {
		return printable("a line that matches " + s.Where)
	}
	if s.Kind == Exec {
		return printable(string(s.Kind) + " " + strings.Join(s.Argv, " "))
	}
	if s.Kind == HTTP {
		if u, err := url.Parse(s.Where); err == nil {
			return u.Redacted() // a password is nobody's business
		}
		return s.Where
	}
	return strings.TrimSpace(string(s.Kind) + " " + s.Where)
}

// Result is what came of one probe.
type Result struct {
	// Err says why it failed, in a few words without what was asked; nil = it passed.
	Err     error
	Latency time.Duration
	// Output is the last line that is not empty of the answer, or of what a command has
	// written, at most [MaxLine] bytes of printable text; "" = there was none.
	Output string
}

// OK reports whether the probe passed.
func (r Result) OK() bool { return r.Err == nil }

// ErrNoAnswer says that the time for a probe was over.
var ErrNoAnswer = errors.New("no answer in time")

// MaxLine is the length of an output line that is kept, in bytes.
const MaxLine = 200

// maxBody is how much of an answer is read for its last line, in bytes.
const maxBody = 16 << 10

// Probe asks once. When ctx ends before there is an answer, that is a failure.
func Probe(ctx context.Context, s Spec, t Target) Result {
	begin := time.Now()
	var r Result
	switch s.Kind {
	case HTTP:
		r.Output, r.Err = get(ctx, s)
	case TCP:
		r.Err = connect(ctx, "tcp", s.Where)
	case Unix:
		r.Err = connect(ctx, "unix", s.Where)
		if errors.Is(r.Err, syscall.EPROTOTYPE) { // it is no stream
			r.Err = connect(ctx, "unixgram", s.Where)
		}
		if errors.Is(r.Err, syscall.EPROTOTYPE) {
			r.Err = connect(ctx, "unixpacket", s.Where)
		}
	case File:
		_, r.Err = os.Stat(s.Where)
	case Port:
		r.Err = listens(t, s.Where)
	default:
		r.Err = fmt.Errorf("cannot probe %q", s.Kind)
	}
	r.Latency = time.Since(begin)
	r.Err = short(r.Err)
	return r
}

func connect(ctx context.Context, network, address string) error {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		c.Close()
	}
	return err
}

// client follows no redirects: one is an answer of the program, where it points to is not.
// A certificate is not verified: the question is whether the program answers, and nothing
// secret is sent. Proxies of the environment are for others.
var client = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: &http.Transport{
		DialContext:            (&net.Dialer{}).DialContext,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
	},
}

func get(ctx context.Context, s Spec) (output string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Where, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "msup")
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxBody)) // the status is the answer
	output = LastLine(body)
	ranges := s.Status
	if len(ranges) == 0 {
		ranges = []StatusRange{{200, 399}}
	}
	for _, r := range ranges {
		if r.From <= resp.StatusCode && resp.StatusCode <= r.To {
			return output, nil
		}
	}
	return output, fmt.Errorf("status %s", strings.TrimSpace(resp.Status))
}

// short takes from an error what repeats the question.
func short(err error) error {
	if err == nil {
		return nil
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return ErrNoAnswer
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(e.Err + ": " + e.Name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return syscall.ENOENT
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("connection closed without an answer")
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return errors.New(printable(err.Error()))
}

// LastLine is the last line of text that is not empty, cut to [MaxLine], and made printable.
func LastLine(text []byte) string {
	lines := strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range slices.Backward(lines) {
		if line := strings.TrimSpace(line); line != "" {
			return printable(line)
		}
	}
	return ""
}

// printable is text that harms no terminal and no log, at most MaxLine bytes of it.
func printable(s string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			r = '\uFFFD'
		}
		if b.Len()+len(string(r)) > MaxLine {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
