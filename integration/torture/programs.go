//go:build linux

package torture

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"msup/policy"
)

// role is what a program is there for.
type role string

const (
	steady role = "steady" // nothing happens to it: it has to keep its PID
	crash  role = "crash"  // ends by itself
	target role = "target" // killed from outside
	halted role = "halted" // stopped with systemctl
	deaf   role = "deaf"   // stopped with msup, and takes no notice of SIGTERM
	pawn   role = "pawn"   // stopped, started and restarted with msup
	follow role = "follow" // restarted when what it depends on has ended
	timed  role = "timed"  // ends by itself, and is started at its times
)

// program is one program of the configuration.
type program struct {
	name    string
	role    role
	command string
	keys    []string // further lines of its configuration
	book    string   // "" = keeps none
	files   []output
	writes  bool // until it is told that it is enough
	scope   bool
	needs   []string      // what it depends on, but what is optional
	socket  string        // the Unix socket that systemd listens on for it
	every   time.Duration // from one start to the next, of one that has a schedule
	longest time.Duration // life of one that ends by itself
	rules   policy.Rules  // as msup reads them
	stop    time.Duration
}

// output is a file that gets the output of a program.
type output struct {
	path    string
	streams []int // 0 = standard output, 1 = standard error
	joint   bool  // the lines of both are numbered together
	width   int   // of a line, 0 = there is no filling
}

// cast makes the programs of a run, in the folder dir. has tells whether msup knows a key.
func cast(dir, victim string, d time.Duration, has func(key string) bool) []*program {
	long := d >= time.Minute
	var all []*program
	add := func(name string, r role, flags, kind string, keys ...string) *program {
		p := &program{name: name, role: r, keys: keys, book: filepath.Join(dir, "books", name)}
		p.command = fmt.Sprintf("%s -book %s -calm %s %s %s", victim, p.book, filepath.Join(dir, "calm"), flags, kind)
		all = append(all, p)
		return p
	}
	log := func(p *program, key, name string, o output) {
		o.path = filepath.Join(dir, "out", name)
		p.keys = append(p.keys, key+" = "+o.path)
		p.files = append(p.files, o)
	}
	writer := func(name, flags string, keys ...string) *program {
		p := add(name, steady, flags, "write", keys...)
		p.writes = true
		return p
	}
	out := func(p *program, width int) { log(p, "stdout", p.name+".log", output{streams: []int{0}, width: width}) }

	out(writer("wout", "-pace 5ms"), 40)
	out(writer("wslow", "-pace 700ms"), 40)
	// Long runs keep all that was written, in memory.
	pace := "50ms"
	if long {
		pace = "250ms"
	}
	out(writer("wfast", "-burst 200 -width 100 -pace "+pace), 100)
	two := writer("wtwo", "-pace 20ms -both apart")
	log(two, "stdout", "wtwo.out", output{streams: []int{0}, width: 40})
	log(two, "stderr", "wtwo.err", output{streams: []int{1}, width: 40})
	one := writer("wone", "-pace 10ms -both joint")
	log(one, "stdout", "wone.log", output{streams: []int{0, 1}, joint: true, width: 40})
	one.keys = append(one.keys, "stderr = "+one.files[0].path)
	if has("log_max_size") {
		size := "100K"
		if long {
			size = "1M"
		}
		out(writer("wrot", "-burst 20 -width 100 -pace 40ms", "log_max_size = "+size), 100)
		out(writer("wzip", "-burst 20 -width 100 -pace 40ms", "log_max_size = "+size, "log_compress = true"), 100)
	}
	sh := writer("wsh", "")
	sh.command = "/bin/sh " + filepath.Join(dir, "writer.sh") + " " + sh.book
	out(sh, 0)

	quick := []string{"max_restarts = 0", "restart_reset = 0"}
	crasher := func(name, flags string, keys ...string) {
		p := add(name, crash, flags, "crash", keys...)
		p.longest = mostOf(flags)
		out(p, 40)
	}
	crasher("cmany", "-how 1,2,3,77,200,203,255 -least 50ms -most 900ms", append(quick, "restart_delay = 200ms")...)
	crasher("cquick", "-how 7 -most 1ms -lines 1", append(quick, "restart_delay = 300ms")...)
	crasher("ckill", "-how SIGKILL -least 200ms -most 1500ms", append(quick, "restart_delay = 0")...)
	// systemd counts the middle ones as success.
	crasher("csignal", "-how SIGSEGV,SIGTERM,SIGHUP,SIGINT,SIGABRT -least 100ms -most 1s", append(quick, "restart_delay = 100ms")...)
	crasher("calways", "-how 0 -least 100ms -most 1s", append(quick, "autorestart = always", "restart_delay = 300ms")...)
	crasher("cmixed", "-how 0,4,0,SIGKILL,SIGTERM -least 100ms -most 800ms", append(quick, "autorestart = always", "restart_delay = 0")...)
	crasher("conce", "-how 0 -least 1s -most 4s")
	crasher("cseven", "-how 7 -least 1s -most 4s", "success_exit_codes = 0 7")
	crasher("cnever", "-how 8 -least 1s -most 4s", "autorestart = never")
	crasher("climit", "-how 9 -least 300ms -most 1s", "max_restarts = 3", "restart_delay = 500ms", "restart_reset = 1h")
	crasher("creset", "-how 5 -least 4s -most 5s", "max_restarts = 2", "restart_delay = 100ms", "restart_reset = 1s")
	// Half of its runs end before they count as started.
	crasher("cstart", "-how 2,SIGKILL -least 100ms -most 1s", append(quick, "restart_delay = 200ms", "start_seconds = 500ms")...)
	if has("ready") {
		// Some of their runs end before they are ready, and supervisors while they wait for that.
		crasher("cnotify", "-how 2,SIGKILL,77 -least 100ms -most 900ms -ready 300ms", append(quick, "restart_delay = 200ms", "ready = notify")...)
		crasher("cline", "-how 3,SIGKILL -least 1ms -most 700ms", append(quick, "restart_delay = 200ms", `ready = log: \s1 3\s`)...)
		add("nquiet", steady, "-ready 1500ms", "quiet", "ready = notify")
		out(writer("wline", "-pace 200ms", `ready = log: \s1 8\s`), 40)
	}
	patience := "4s"
	if long {
		patience = "15s"
	}
	crasher("cpatient", "-how 6 -least 100ms -most 300ms", append(quick, "restart_delay = "+patience)...)

	// The exit status of a scope's program is lost with the supervisor that forked it, and then it has failed.
	scope := func(name string, r role, flags, kind string, keys ...string) {
		p := add(name, r, flags, kind, append(keys, "unit_type = scope")...)
		p.scope, p.longest = true, mostOf(flags)
	}
	scope("scquiet", steady, "", "quiet")
	scope("scmixed", crash, "-how 0,3,SIGKILL -least 500ms -most 2500ms", "crash", append(quick, "autorestart = always", "restart_delay = 300ms")...)
	scope("scdead", crash, "-how 0 -least 2s -most 5s", "crash", append(quick, "restart_delay = 200ms")...)
	scope("scpawn", pawn, "", "quiet")

	for _, name := range []string{"t1", "t2", "t3"} {
		add(name, target, "", "quiet", append(quick, "restart_delay = 200ms")...)
	}
	add("t4", target, "", "quiet", append(quick, "autorestart = always", "restart_delay = 200ms")...)
	add("s1", halted, "", "quiet")
	add("s2", halted, "", "quiet", "autorestart = always")
	add("d1", deaf, "", "deaf", "stop_timeout = 2s")
	add("d2", deaf, "", "deaf", "stop_timeout = 2s", "autorestart = always")
	for _, name := range []string{"p1", "p2"} {
		p := add(name, pawn, "-pace 100ms", "write")
		p.writes = true
		out(p, 40)
	}
	add("p3", pawn, "", "quiet", "autorestart = always")

	// Those of one name with a number behind it are one program with instances.
	for i := range 3 {
		out(writer(fmt.Sprintf("iw@%d", i+1), "-pace 20ms"), 40)
	}
	for i := range 2 {
		crasher(fmt.Sprintf("ic@%d", i+1), "-how 0,6,SIGKILL -least 200ms -most 1500ms", append(quick, "autorestart = always", "restart_delay = 300ms")...)
	}

	// What they depend on ends again and again, and with a probe it takes its time to be there.
	depends := func(p *program, on string) {
		p.keys = append(p.keys, "depends_on = "+on)
		for word := range strings.FieldsSeq(on) {
			if name, _, _ := strings.Cut(word, ":"); !strings.HasPrefix(name, "?") {
				p.needs = append(p.needs, name)
			}
		}
	}
	if has("depends_on") {
		crasher("ndb", "-how 1,SIGKILL,0 -least 400ms -most 1500ms", append(quick, "autorestart = always", "restart_delay = 200ms",
			"ready = exec: /bin/sleep 0.05", "ready_interval = 200ms", "alive = exec: /bin/true", "alive_interval = 500ms")...)
		crasher("nweb", "-how 2 -least 300ms -most 1200ms", append(quick, "restart_delay = 0")...)
		depends(all[len(all)-1], "ndb:ready")
		for i := range 2 {
			crasher(fmt.Sprintf("nin@%d", i+1), "-how 3,SIGKILL -least 200ms -most 900ms", append(quick, "restart_delay = 0")...)
			depends(all[len(all)-1], "nweb ?ndb:healthy")
		}
		depends(add("nfollow", follow, "", "quiet", append(quick, "on_dependency = restart")...), "ndb:ready")
		add("npawn", pawn, "", "quiet")
		depends(add("nabove", pawn, "", "quiet"), "npawn")
	}

	// systemd listens for two of these, one of which is killed, and has a clock for the third.
	if has("listen") {
		for _, p := range []*program{
			add("lserve", steady, "", "serve"),
			add("t5", target, "", "serve", append(quick, "restart_delay = 200ms")...),
		} {
			p.socket = filepath.Join(dir, p.name+".sock")
			p.keys = append(p.keys, "listen = unix:"+p.socket)
		}
	}
	if has("schedule") {
		crasher("every", "-how 0,4,SIGKILL -least 100ms -most 600ms", "schedule = every 1s")
		p := all[len(all)-1]
		p.role, p.every = timed, time.Second
	}

	mass := 16
	if long {
		mass = 36
	}
	for i := range mass {
		p := add(fmt.Sprintf("m%02d", i), steady, "", "")
		p.book, p.command = "", "/bin/sleep infinity"
		if i%2 == 0 {
			p.keys = append(p.keys, fmt.Sprintf("stdout = %s/out/%s.log", dir, p.name))
		}
	}
	return all
}

// mostOf reads -most.
func mostOf(flags string) time.Duration {
	_, rest, _ := strings.Cut(flags, "-most ")
	word, _, _ := strings.Cut(rest, " ")
	d, _ := time.ParseDuration(word)
	return d
}

// configuration is the file for msup.
func configuration(dir, defaults string, programs []*program) string {
	var text strings.Builder
	fmt.Fprintf(&text, "[msup]\nlogfile = %s\n\n[defaults]\nmax_restarts = 0\nstart_seconds = 0\n%s\n", filepath.Join(dir, "supervisor.log"), defaults)
	instances := map[string]int{}
	for _, p := range programs {
		base, _, _ := strings.Cut(p.name, "@")
		instances[base]++
	}
	for _, p := range programs {
		base, number, isInstance := strings.Cut(p.name, "@")
		if isInstance {
			if number == "1" { // the others are the same, but for the number
				section := strings.ReplaceAll(section(p, base), p.name, base+"@{{instance}}")
				fmt.Fprintf(&text, "%sinstances = %d\n", section, instances[base])
			}
			continue
		}
		text.WriteString(section(p, p.name))
	}
	return text.String()
}

// section is a program in the file, under a name.
func section(p *program, name string) string {
	var text strings.Builder
	// Everything that a copy of it starts can be told by this.
	fmt.Fprintf(&text, "\n[program %s]\ncommand = %s\nenvironment = %s=%s\n", name, p.command, markVariable, p.name)
	for _, key := range p.keys {
		fmt.Fprintln(&text, key)
	}
	return text.String()
}

// markVariable is the environment variable with a program's name.
const markVariable = "TORTURED"

// writerScript is a writer as it is found in the wild: a shell and what it forks.
const writerScript = `
id=$(date +%s%N) n=0 term= enough=
note() { echo "$1 $id $$ $PPID $(date +%s%N) $n 0 $2" >>"$book"; }
book=$1
trap 'term=1' TERM
trap 'enough=1' USR1
note start
while [ -z "$term$enough" ]; do
	n=$((n + 1))
	echo "$id 1 $n "
	sleep 0.05
done
[ -z "$enough" ] || note wrote
while [ -z "$term" ]; do sleep 1; done
note exit 0
`
