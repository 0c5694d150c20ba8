//go:build linux

// Victim is a program for msup to look after under torture. It keeps a book of its own, so that what happened to it is known
// whatever msup says: each life appends a line when it begins and one right before it ends (see package torture, book.go).
//
//	victim -book FILE [-calm FILE] [flags] quiet|deaf|serve|write|crash
//
// quiet waits. deaf does so too, and takes no notice of SIGTERM. serve answers who connects to the socket that systemd has
// handed to it. write numbers lines, until SIGUSR1 says that it is
// enough. crash numbers some lines, lives for a while, and ends by itself, unless the file -calm exists.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

var (
	book  = flag.String("book", "", "file to write down in what happens")
	calm  = flag.String("calm", "", "crash: while this file exists, live on")
	how   = flag.String("how", "1", "crash: exit statuses and signals, in turn: 1,SIGKILL")
	least = flag.Duration("least", 0, "crash: the shortest life")
	most  = flag.Duration("most", 0, "crash: the longest life")
	lines = flag.Int("lines", 3, "crash: lines to write to standard output in a life")
	pace  = flag.Duration("pace", 10*time.Millisecond, "write: time between bursts")
	burst = flag.Int("burst", 1, "write: lines in a burst")
	width = flag.Int("width", 40, "length of a line")
	ready = flag.Duration("ready", 0, "time after which it tells systemd that it is ready; 0 = it does not")
	both  = flag.String("both", "", "write to standard error as well: apart (numbered apart) or joint (numbered together)")
)

// life is this process.
type life struct {
	id     string // its start, in nanoseconds
	number int    // lives before it
	counts [2]int // lines written: standard output, error
	terms  chan os.Signal
	enough chan os.Signal
}

func main() {
	flag.Parse()
	l := &life{
		id: strconv.FormatInt(time.Now().UnixNano(), 10), number: lives(),
		terms: make(chan os.Signal, 1), enough: make(chan os.Signal, 1),
	}
	signal.Notify(l.terms, syscall.SIGTERM)
	signal.Notify(l.enough, syscall.SIGUSR1)
	l.note("start", "")
	if *ready > 0 {
		time.AfterFunc(*ready, func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) })
	}
	switch flag.Arg(0) {
	case "quiet":
		l.end(l.wait(nil))
	case "deaf":
		for {
			l.wait(nil)
			l.note("heard", "")
		}
	case "serve":
		l.end(l.serve())
	case "write":
		l.end(l.write())
	case "crash":
		l.end(l.crash())
	}
	fmt.Fprintln(os.Stderr, "victim: what to be?")
	os.Exit(2)
}

// lives counts the lives in the book.
func lives() int {
	text, _ := os.ReadFile(*book)
	return strings.Count(string(text), "start ")
}

// note writes a line into the book, in one piece.
func (l *life) note(what, text string) {
	f, err := os.OpenFile(*book, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		defer f.Close()
		_, err = fmt.Fprintf(f, "%s %s %d %d %d %d %d %s\n", what, l.id, os.Getpid(), os.Getppid(), time.Now().UnixNano(), l.counts[0], l.counts[1], text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "victim:", err)
		os.Exit(2)
	}
}

// wait returns how to end: for a SIGTERM, or when the time has come.
func (l *life) wait(until <-chan time.Time) string {
	select {
	case <-l.terms:
		return "SIGTERM"
	case <-until:
		return ""
	}
}

// end ends this life: "3" is an exit status, "SIGKILL" a signal.
func (l *life) end(how string) {
	l.note("exit", how)
	if status, err := strconv.Atoi(how); err == nil {
		os.Exit(status)
	}
	switch how {
	case "SIGKILL":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "SIGTERM":
		signal.Reset(syscall.SIGTERM)
		_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
	default:
		// Go's runtime would make a panic of a SIGSEGV.
		_ = syscall.Exec("/bin/sh", []string{"sh", "-c", "kill -" + strings.TrimPrefix(how, "SIG") + " $$"}, nil)
	}
	select {} // the signal is on its way
}

func (l *life) serve() string {
	listener, err := net.FileListener(os.NewFile(3, "listen"))
	if err != nil {
		l.note("error", err.Error())
		os.Exit(3)
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, l.id)
			c.Close()
		}
	}()
	return l.wait(nil)
}

func (l *life) crash() string {
	for range *lines {
		l.line(0, &l.counts[0])
	}
	time := time.After(*least + rand.N(*most-*least+1))
	if how := l.wait(time); how != "" {
		return how
	}
	if _, err := os.Stat(*calm); err == nil {
		return l.wait(nil)
	}
	ends := strings.Split(*how, ",")
	return ends[l.number%len(ends)]
}

func (l *life) write() string {
	tick := time.NewTicker(*pace)
	for {
		for range *burst {
			l.line(0, &l.counts[0])
			switch *both {
			case "apart":
				l.line(1, &l.counts[1])
			case "joint":
				l.line(1, &l.counts[0])
			}
		}
		select {
		case <-l.terms:
			return "SIGTERM"
		case <-l.enough:
			l.note("wrote", "")
			return l.wait(nil)
		case <-tick.C:
		}
	}
}

// line writes the next line to a stream: the life, the stream, the number, and a filling that follows from the number.
func (l *life) line(stream int, count *int) {
	head := fmt.Sprintf("%s %d %d ", l.id, stream+1, *count+1)
	text := head + strings.Repeat(string(rune('a'+*count%26)), max(0, *width-len(head)-1)) + "\n"
	if n, err := syscall.Write(stream+1, []byte(text)); err != nil || n != len(text) {
		l.note("error", fmt.Sprintf("wrote %d of %d: %v", n, len(text), err))
		os.Exit(3)
	}
	*count++
}
