//go:build linux

package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"msup/integration/sandbox"
)

// restartsUnderLoad is how often the program is restarted while clients go on asking.
const restartsUnderLoad = 20

// No request fails while a program with sockets is restarted, also when its supervisor is
// killed meanwhile.
func TestRestartsUnderLoad(t *testing.T) {
	if share := os.Getenv(insideEnv); share != "" {
		loadInside(t, share)
		return
	}
	inSandbox(t, booted{
		kind: sandbox.Namespaces, parallel: 1, timeout: 2 * time.Minute, subtests: []string{"answers"},
		programs: []string{"msup/integration/greeter"},
	})
}

func loadInside(t *testing.T, share string) {
	dir := t.TempDir()
	bin := filepath.Join(share, "bin")
	conf := filepath.Join(dir, "msup.conf")
	text := "[msup]\nproject = load\nprogram web\ncommand = " + filepath.Join(bin, "greeter") + "\nlisten = 127.0.0.1:18090\nstart_seconds = 0\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			log, _ := os.ReadFile(filepath.Join(dir, "supervisor.log"))
			t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, log)
		}
	}
	msup := filepath.Join(bin, "msup")
	run(msup, "up", "-d", "-c", conf)
	defer run(msup, "down", "-c", conf)

	ctx, stop := context.WithCancel(t.Context())
	var (
		clients sync.WaitGroup
		mu      sync.Mutex
		answers int
		by      = map[string]bool{} // PIDs
		failed  []error
	)
	note := func(pid string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			failed = append(failed, err)
			return
		}
		answers++
		by[pid] = true
	}
	for i := range 6 {
		// Half of them use a connection again.
		client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
		clients.Go(func() {
			for ctx.Err() == nil {
				note(ask(client))
			}
		})
	}
	for i := range restartsUnderLoad {
		if i%7 == 3 {
			run("systemctl", "kill", "--signal=KILL", "msup@load.service")
		}
		run(msup, "restart", "web", "-c", conf)
		note(ask(http.DefaultClient)) // each answers at least once
	}
	stop()
	clients.Wait()
	t.Run("answers", func(t *testing.T) {
		t.Logf("%d answers by %d processes in %d restarts", answers, len(by), restartsUnderLoad)
		if len(failed) > 0 {
			t.Errorf("%d requests failed, the first one: %v", len(failed), failed[0])
		}
		if len(by) <= restartsUnderLoad || answers < 10*restartsUnderLoad {
			t.Errorf("%d answers by %d processes are too few", answers, len(by))
		}
	})
}

func ask(client *http.Client) (string, error) {
	resp, err := client.Get("http://127.0.0.1:18090/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", resp.Status)
	}
	return string(body), err
}
