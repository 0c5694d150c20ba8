package probe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"msup/probe"
)

func ask(t *testing.T, s probe.Spec) probe.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	return probe.Probe(ctx, s, probe.Target{})
}

// failure is the words of a result, "ok" for one that passed.
func failure(r probe.Result) string {
	if r.OK() {
		return "ok"
	}
	return r.Err.Error()
}

func TestHTTP(t *testing.T) {
	var agents, connections []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agents, connections = append(agents, r.UserAgent()), append(connections, r.Header.Get("Connection"))
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/ill", http.StatusFound)
		case "/ill":
			http.Error(w, "no database\n\x1b[31mgone\x1b[0m\n\n", http.StatusServiceUnavailable)
		case "/slow":
			<-r.Context().Done()
		case "/torn":
			panic(http.ErrAbortHandler) // the connection just ends
		case "/endless":
			for {
				if _, err := w.Write([]byte(strings.Repeat("x", 1000) + "\n")); err != nil {
					return
				}
			}
		default:
			fmt.Fprint(w, "fine")
		}
	}))
	srv.Config.ErrorLog = nil
	defer srv.Close()
	tests := []struct {
		path   string
		status []probe.StatusRange
		want   string
		output string
	}{
		{"/", nil, "ok", "fine"},
		{"/moved", nil, "ok", `<a href="/ill">Found</a>.`},
		{"/moved", []probe.StatusRange{{From: 200, To: 200}, {From: 204, To: 299}}, "status 302 Found", `<a href="/ill">Found</a>.`},
		{"/ill", nil, "status 503 Service Unavailable", "\uFFFD[31mgone\uFFFD[0m"},
		{"/ill", []probe.StatusRange{{From: 500, To: 503}}, "ok", "\uFFFD[31mgone\uFFFD[0m"},
		{"/torn", nil, "connection closed without an answer", ""},
		{"/endless", nil, "ok", strings.Repeat("x", probe.MaxLine)},
	}
	for _, tt := range tests {
		r := ask(t, probe.Spec{Kind: probe.HTTP, Where: srv.URL + tt.path, Status: tt.status})
		if failure(r) != tt.want || r.Output != tt.output {
			t.Errorf("%s %v: %s, output %q; want %s, %q", tt.path, tt.status, failure(r), r.Output, tt.want, tt.output)
		}
	}
	for i := range agents {
		if agents[i] != "msup" || connections[i] != "close" {
			t.Errorf("request %d of %q, Connection: %q", i, agents[i], connections[i])
		}
	}
	r := ask(t, probe.Spec{Kind: probe.HTTP, Where: srv.URL + "/slow"})
	if !errors.Is(r.Err, probe.ErrNoAnswer) || r.Latency < 300*time.Millisecond || r.Latency > 2*time.Second {
		t.Errorf("slow: %s after %s", failure(r), r.Latency)
	}
}

func TestHTTPSOfItsOwnCertificate(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer srv.Close()
	if r := ask(t, probe.Spec{Kind: probe.HTTP, Where: srv.URL}); !r.OK() {
		t.Error(failure(r))
	}
}

// closed is an address where nobody listens.
func closed(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestConnections(t *testing.T) {
	dir := t.TempDir()
	listen := func(network, address string) string {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l.Addr().String()
	}
	packets, err := net.ListenPacket("unixgram", filepath.Join(dir, "gram"))
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	plain := filepath.Join(dir, "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "stale"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	tests := []struct {
		spec probe.Spec
		want string
	}{
		{probe.Spec{Kind: probe.TCP, Where: listen("tcp", "127.0.0.1:0")}, "ok"},
		{probe.Spec{Kind: probe.TCP, Where: closed(t)}, "connection refused"},
		{probe.Spec{Kind: probe.HTTP, Where: "http://" + closed(t) + "/"}, "connection refused"},
		{probe.Spec{Kind: probe.Unix, Where: listen("unix", filepath.Join(dir, "stream"))}, "ok"},
		{probe.Spec{Kind: probe.Unix, Where: listen("unixpacket", filepath.Join(dir, "packet"))}, "ok"},
		{probe.Spec{Kind: probe.Unix, Where: filepath.Join(dir, "gram")}, "ok"},
		{probe.Spec{Kind: probe.Unix, Where: filepath.Join(dir, "stale")}, "connection refused"},
		{probe.Spec{Kind: probe.Unix, Where: filepath.Join(dir, "none")}, "no such file or directory"},
		{probe.Spec{Kind: probe.Unix, Where: plain}, "connection refused"},
		{probe.Spec{Kind: probe.File, Where: plain}, "ok"},
		{probe.Spec{Kind: probe.File, Where: dir + "/none"}, "no such file or directory"},
		{probe.Spec{Kind: "guess"}, `cannot probe "guess"`},
	}
	for _, tt := range tests {
		if got := failure(ask(t, tt.spec)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.spec, got, tt.want)
		}
	}
}

func TestPort(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_, other, _ := net.SplitHostPort(closed(t))
	child := exec.Command("/bin/sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		child.Process.Kill()
		child.Wait()
	}()
	own, childs := os.Getpid(), child.Process.Pid
	for _, tt := range []struct {
		pids []int
		port string
		want string
	}{
		{[]int{own}, "", "ok"},
		{[]int{1 << 22, childs, own}, port, "ok"},
		{[]int{own}, other, "it does not listen"},
		{[]int{childs}, "", "it does not listen"},
		{nil, port, "it does not listen"},
	} {
		target := probe.Target{PID: childs, Processes: func() ([]int, error) { return tt.pids, nil }}
		if got := failure(probe.Probe(t.Context(), probe.Spec{Kind: probe.Port, Where: tt.port}, target)); got != tt.want {
			t.Errorf("%v port %q: %s, want %s", tt.pids, tt.port, got, tt.want)
		}
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := probe.Probe(ctx, probe.Spec{Kind: probe.TCP, Where: "127.0.0.1:1"}, probe.Target{}); r.OK() {
		t.Error("passed")
	}
}

func FuzzLastLine(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n"))
	f.Add([]byte("\xff\x00\x1b]0;title\x07"))
	f.Fuzz(func(t *testing.T, text []byte) {
		line := probe.LastLine(text)
		if len(line) > probe.MaxLine || !utf8.ValidString(line) || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q", line)
		}
	})
}
