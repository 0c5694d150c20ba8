package units_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

// listening is a program with a socket, whose executable is there.
func listening(t *testing.T, name string, change ...func(*units.Program)) units.Program {
	p := program(name, change...)
	p.Path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p.Path, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	p.Listen.Addresses = []units.Address{{Network: units.ListenTCP, Where: "8080"}}
	if p.Digest == "" {
		p.Digest = "one"
	}
	if p.Listen.OnDemand {
		p.Rules.Awaits = "a connection to 8080"
	}
	return p
}

func onDemand(p *units.Program) { p.Listen.OnDemand = true }

// whole says what went wrong with the fake: rules of the protocol, connections that were refused.
func whole(t *testing.T, fake *fakeSystemd, refused int) {
	t.Helper()
	fake.set(func() {
		if len(fake.wrong) > 0 {
			t.Errorf("systemd objects: %v", fake.wrong)
		}
		if fake.refused != refused {
			t.Errorf("%d connections were refused, want %d", fake.refused, refused)
		}
	})
}

func TestSocketsWaitForTheRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, listening(t, "web"))
		r.after(time.Second)
		fake.connect(web)
		fake.die(web, 1, 3, "exit-code")
		r.after(100 * time.Millisecond)
		fake.connect(web)
		r.after(300 * time.Millisecond)
		r.wantLogEnd("web STARTING -> RUNNING: started\nweb RUNNING -> BACKOFF: exit status 3, restart 1 of 2 in 1s\n")
		r.after(time.Second)
		r.wantLogEnd("BACKOFF -> STARTING: restart 1\nweb STARTING -> RUNNING: restarted\n")
		fake.set(func() {
			if fake.taken != 2 {
				t.Errorf("%d connections were taken", fake.taken)
			}
		})
		r.do(units.Restart, "web")
		fake.connect(web)
		r.after(time.Second)
		fake.connect(web)
		r.wantLogEnd("web STOPPING -> STARTING: by the test: killed by SIGTERM\nweb STARTING -> RUNNING: started\n")
		whole(t, fake, 0)

		r.do(units.Stop, "web")
		r.after(2 * time.Millisecond)
		fake.connect(web)
		r.after(time.Second)
		r.wantLogEnd("web STOPPING -> STOPPED: by the test: killed by SIGTERM\n")
		whole(t, fake, 1)
		fake.set(func() {
			if len(fake.units) > 0 {
				t.Errorf("left: %v", fake.units)
			}
		})
		r.stop()
	})
}

// What a failure leads to that systemd does not take for a good end: it starts the program for
// the next connection, and that is the restart.
func TestSocketsStartWhatWasKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, listening(t, "web"))
		r.after(time.Second)
		for range 2 {
			fake.stopNow(web, 2, 9, "oom-kill")
			r.after(100 * time.Millisecond)
			fake.connect(web)
			r.after(100 * time.Millisecond)
		}
		r.wantLogEnd(`web RUNNING -> BACKOFF: killed for memory, restart 1 of 2 in 1s
web BACKOFF -> STARTING: restart 1: a connection to 8080
web STARTING -> RUNNING: restarted
web RUNNING -> BACKOFF: killed for memory, restart 2 of 2 in 1s
web BACKOFF -> STARTING: restart 2: a connection to 8080
web STARTING -> RUNNING: restarted
`)
		fake.set(func() { fake.waiting[web] = 1 })
		fake.stopNow(web, 2, 9, "oom-kill")
		r.after(time.Second)
		r.wantLogEnd("web RUNNING -> KILLED: killed for memory, gave up after 2 restarts\n")
		fake.set(func() {
			if fake.units[socketOf(web)] != nil || fake.units[web].facts.ActiveState != "failed" {
				t.Errorf("left: %v", fake.units)
			}
		})
		r.stop()
	})
}

func TestOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		def := listening(t, "web", onDemand)
		r := start(t, fake, nil, def)
		r.after(time.Second)
		r.wantLogEnd("web: autostart: waits for a connection to 8080\nmsup: supervises 1 program of /x/msup.conf\n")
		fake.connect(web)
		r.after(time.Second)
		r.wantLogEnd("web STOPPED -> STARTING: a connection to 8080\nweb STARTING -> RUNNING: started\n")
		fake.die(web, 1, 0, "success")
		r.after(time.Second)
		r.wantLogEnd("web RUNNING -> EXITED: exit status 0\n")
		fake.connect(web)
		r.after(time.Second)
		r.wantLogEnd("web EXITED -> STARTING: a connection to 8080\nweb STARTING -> RUNNING: started\n")

		// It ends, and is started, while no supervisor runs.
		r.stop()
		fake.die(web, 1, 0, "success")
		time.Sleep(time.Second)
		r = start(t, fake, r.saved, def)
		r.after(time.Second)
		r.wantLogEnd("web RUNNING -> EXITED: exit status 0\nmsup: supervises 1 program of /x/msup.conf\n")
		r.stop()
		fake.connect(web)
		time.Sleep(time.Second)
		r = start(t, fake, r.saved, def)
		r.after(time.Second)
		r.wantLogEnd("web EXITED -> STARTING: a connection to 8080\nweb STARTING -> RUNNING: started\nmsup: supervises 1 program of /x/msup.conf, has taken over 1 that run\n")
		whole(t, fake, 0)
		r.do(units.Stop, "web")
		r.after(time.Second)
		fake.connect(web)
		whole(t, fake, 1)
		r.do(units.Start, "web")
		r.after(time.Second)
		r.wantLogEnd("web STOPPED -> STARTING: by the test\nweb STARTING -> RUNNING: started\n")
		r.do(units.Down)
		r.after(time.Second)
		fake.set(func() {
			if len(fake.units) > 0 {
				t.Errorf("left: %v", fake.units)
			}
		})
	})
}

func TestSocketsCannotListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.listenErr = true
		r := start(t, fake, nil, listening(t, "web"), listening(t, "lazy", onDemand))
		r.after(1500 * time.Millisecond)
		fake.set(func() { fake.listenErr = false })
		r.after(time.Second)
		for _, want := range []string{
			"web STARTING -> BACKOFF: cannot listen on 8080: journalctl -u msup-web.socket says why, restart 1 of 2 in 1s\n",
			"lazy STOPPED -> FAILED: cannot listen on 8080: journalctl -u msup-lazy.socket says why\n",
			"web BACKOFF -> STARTING: restart 2\nweb STARTING -> RUNNING: restarted\n",
		} {
			if !strings.Contains(r.log(), want) {
				t.Errorf("%swant\n%s", r.log(), want)
			}
		}
		r.stop()
	})
}

// A reload changes what the pair was made by.
func TestSocketsAreMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		def := listening(t, "web")
		r := start(t, fake, nil, def)
		r.after(time.Second)
		def.Argv, def.Digest = []string{"web", "--new"}, "two"
		project := units.Project{Name: units.DefaultProject, File: "/x/msup.conf", Programs: []units.Program{def}}
		if _, err := r.sup.Redefine(t.Context(), units.Redefinition{Project: project, Restart: []string{"web"}, By: "msup reload"}); err != nil {
			t.Fatal(err)
		}
		r.after(time.Second)
		r.wantLogEnd("web STARTING -> RUNNING: started\n")
		fake.set(func() {
			argv := fake.units[web].props["ExecStart"].([]units.ExecCommand)[0].Argv
			if len(argv) != 2 {
				t.Errorf("it runs %v", argv)
			}
		})
		// The limits are live.
		def.Limits.TasksMax = new(uint64(7))
		project.Programs = []units.Program{def}
		if _, err := r.sup.Redefine(t.Context(), units.Redefinition{Project: project, By: "msup reload"}); err != nil {
			t.Fatal(err)
		}
		fake.die(web, 1, 3, "exit-code")
		r.after(3 * time.Second)
		fake.set(func() {
			if got := fake.units[web].props["TasksMax"]; got != uint64(7) {
				t.Errorf("TasksMax is %v", got)
			}
		})
		r.wantLogEnd("web STARTING -> RUNNING: restarted\n")
		// A daemon-reload damages the command: it is not run again.
		fake.set(func() {
			fake.units[web].props["ExecStart"] = []units.ExecCommand{{Path: def.Path, Argv: []string{"web", `\$`}}}
			fake.emit(units.Reloaded{})
		})
		r.after(time.Second)
		r.do(units.Restart, "web")
		fake.set(func() { fake.waiting[web] = 0 })
		r.after(time.Second)
		fake.set(func() {
			if argv := fake.units[web].props["ExecStart"].([]units.ExecCommand)[0].Argv; len(argv) != 2 || argv[1] != "--new" {
				t.Errorf("it runs %v", argv)
			}
		})
		whole(t, fake, 0)
		r.stop()
	})
}

// Somebody stops the sockets, or systemd does because nobody takes what comes.
func TestSocketsStoppedBySomebody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, listening(t, "web", onDemand))
		r.after(time.Second)
		_ = fake.Stop(t.Context(), "msup-web.socket")
		r.after(time.Second)
		r.wantLogEnd("web: its sockets were stopped with systemctl\n")
		r.do(units.Start, "web")
		r.after(time.Second)
		r.wantLogEnd("web STOPPED -> STARTING: by the test\nweb STARTING -> RUNNING: started\n")
		fake.die(web, 1, 0, "success")
		r.after(time.Second)
		fake.set(func() {
			u := fake.units["msup-web.socket"]
			u.facts.ActiveState, u.facts.Result = "failed", "trigger-limit-hit"
			fake.changed(u)
		})
		r.after(time.Second)
		r.wantLogEnd("web EXITED -> FAILED: connections have started it too often, and it took none (Result=trigger-limit-hit)\n")
		whole(t, fake, 0)
		r.stop()
	})
}

// What the supervisor asks when a connection starts a program may be answered after the signal
// that it is active.
func TestOnDemandIsReadLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, listening(t, "web", onDemand))
		r.after(time.Second)
		fake.set(func() { fake.readLate, fake.executes = 50*time.Millisecond, 10*time.Millisecond })
		fake.connect(web)
		r.after(3 * time.Second)
		r.wantLogEnd("web STARTING -> RUNNING: started\n")
		r.stop()
	})
}

// Who depends on a program that connections start does not need it to run, only to be listened
// for.
func TestOnDemandIsDependedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		db := program("db", func(p *units.Program) { p.Autostart = false })
		lazy := listening(t, "web", onDemand)
		lazy.Needs = []units.Need{{Of: "db", Condition: policy.OnStarted}}
		job := program("job", func(p *units.Program) {
			p.Needs = []units.Need{{Of: "web", Condition: policy.OnReady}}
			p.OnDependency = policy.RestartAtEnd
		})
		free := listening(t, "free", onDemand)
		user := program("user", func(p *units.Program) {
			p.Needs, p.OnDependency = []units.Need{{Of: "free", Condition: policy.OnReady}}, policy.RestartAtEnd
		})
		r := start(t, fake, nil, db, lazy, job, free, user)
		r.after(3 * time.Second)
		r.wantPhases("db RUNNING, web RUNNING, job RUNNING, free STOPPED, user RUNNING")
		fake.connect("msup-free.service")
		r.after(3 * time.Second)
		if n := fake.starts("msup-user.service"); n != 1 {
			t.Errorf("started %d times", n)
		}
		whole(t, fake, 0)
		r.stop()
	})
}

// A program that listens and has a schedule is started by its times, and by no connection; what
// becomes of its sockets is nothing to the schedule.
func TestSocketsWithSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, listening(t, "web", scheduled("*-*-* 03:00")))
		r.after(time.Second)
		fake.connect(web)
		whole(t, fake, 1)
		fake.elapse("msup-web:due.timer")
		r.after(2 * time.Second)
		fake.connect(web)
		_ = fake.Stop(t.Context(), "msup-web.socket")
		r.after(time.Second)
		r.wantLogEnd("web: its sockets were stopped with systemctl: nobody can connect until it is restarted\n")
		if !r.status("web").State.Armed {
			t.Error("its schedule has ended with its sockets")
		}
		fake.die(web, 1, 0, "success")
		r.after(time.Second)
		fake.elapse("msup-web:due.timer")
		r.after(2 * time.Second)
		fake.connect(web)
		fake.die(web, 1, 0, "success")
		r.after(time.Second)
		fake.connect(web)
		r.wantLogEnd("web RUNNING -> EXITED: exit status 0\n")
		whole(t, fake, 2)
		r.stop()
	})
}

// systemctl does with them what it does with others.
func TestSocketsAndSystemctl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, listening(t, "web"))
		r.after(time.Second)
		_ = fake.Stop(t.Context(), web)
		fake.set(func() { fake.units[web].again = true }) // systemctl restart
		r.after(time.Second)
		r.wantLogEnd("web RUNNING -> STOPPING: stopped with systemctl\nweb STOPPING -> STOPPED: stopped with systemctl: replaced by another run of its unit\nweb STOPPED -> RUNNING: started with systemctl\n")
		fake.connect(web)
		whole(t, fake, 0)
		_ = fake.Stop(t.Context(), web)
		r.after(time.Second)
		r.wantLogEnd("web STOPPING -> STOPPED: stopped with systemctl: killed by SIGTERM\n")
		fake.set(func() {
			if len(fake.units) > 0 {
				t.Errorf("left: %v", fake.units)
			}
		})
		r.stop()
	})
}

func TestIdleStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		open, last, fails := 1, time.Time{}, error(nil)
		fake.connections = func([]units.Address) (int, time.Time, error) {
			fake.mu.Lock()
			defer fake.mu.Unlock()
			return open, last, fails
		}
		r := start(t, fake, nil, listening(t, "web", func(p *units.Program) { p.Listen.OnDemand, p.Listen.IdleStop = true, 10*time.Second }))
		r.after(time.Second)
		fake.connect(web)
		r.after(time.Minute)
		r.wantLogEnd("web STARTING -> RUNNING: started\n") // one is open
		fake.set(func() { open = 0 })
		r.after(8 * time.Second)
		fake.set(func() { last = time.Now() }) // a short one
		r.after(8 * time.Second)
		r.wantLogEnd("web STARTING -> RUNNING: started\n")
		r.after(4 * time.Second)
		r.wantLogEnd("web RUNNING -> STOPPING: no connection for 10s\nweb STOPPING -> STOPPED: no connection for 10s: killed by SIGTERM\n")
		snap, err := r.sup.Snapshot(t.Context())
		if want := "no connection for 10s: killed by SIGTERM, waits for a connection to 8080"; err != nil || snap.Programs[0].State.Reason != want {
			t.Errorf("%v: the reason is %q, want %q", err, snap.Programs[0].State.Reason, want)
		}

		// One that comes while it is stopped is not lost.
		fake.connect(web)
		r.after(10*time.Second + 502*time.Millisecond)
		fake.set(func() { fake.units[web].slow = time.Second })
		r.after(1500 * time.Millisecond)
		fake.connect(web)
		r.after(2 * time.Second)
		r.wantLogEnd("web STOPPING -> STOPPED: no connection for 10s: killed by SIGTERM\nweb STOPPED -> STARTING: a connection to 8080\nweb STARTING -> RUNNING: started\n")
		whole(t, fake, 0)

		// What is not known is no reason.
		fake.set(func() { fails = errors.New("no table") })
		r.after(time.Minute)
		r.wantLogEnd("web: idle_stop does not hold: cannot count the connections: no table\n")
		r.stop()
	})
}

// Whoever waits until the project is up has to know when systemd listens.
func TestSocketsAreBeingOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.readLate = 50 * time.Millisecond
		r := start(t, fake, nil, listening(t, "web", onDemand, needs("db:ready")), program("db", startPeriod))
		opening := func() bool {
			snap, err := r.sup.Snapshot(t.Context())
			return err != nil || snap.Programs[0].Opening
		}
		r.after(500 * time.Millisecond)
		if opening() {
			t.Error("it is opened before db is there")
		}
		told := false
		for fake.active("msup-web.socket") != "active" {
			told = told || opening()
			r.after(time.Millisecond)
		}
		r.after(time.Second)
		if !told || opening() {
			t.Errorf("opening was told: %t, and still is: %t", told, opening())
		}
		r.do(units.Stop, "web")
		r.after(time.Second)
		if opening() {
			t.Error("it is opened though it is stopped")
		}
		r.stop()
	})
}
