package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"msup/cgroup"
	"msup/units"
)

// SocketName is the file of the socket in the project's runtime directory.
const SocketName = "control.sock"

// Server answers commands for one supervisor.
//
//	GET  /v1/status   Report
//	GET  /v1/watch    a stream of JSON lines: one Snapshot, then Records
//	POST /v1/command  units.Command -> units.Snapshot
//	POST /v1/rotate   RotateRequest -> []Rotated
//	GET  /v1/plan     units.Plan: what the configuration would change
//	POST /v1/reload   ReloadRequest -> Applied
//	POST /v1/set      SetRequest -> Applied
//	POST /v1/scale    ScaleRequest -> Applied
type Server struct {
	Supervisor *units.Supervisor
	// Project returns the definitions in force.
	Project func() units.Project
	Version string // of msup
	// Warnings tells what is not as configured about a program. It may be nil.
	Warnings func(program string) []string
	// SliceWarnings tells the same of a slice. It may be nil.
	SliceWarnings func(slice string) []string
	// Output reports the files a program's output goes to. It may be nil.
	Output func(program string) []OutputReport
	// Rotate rotates the files of programs, in their order.
	Rotate  func(ctx context.Context, programs []string) []Rotated
	Sampler *Sampler
	// Definitions changes what the programs are.
	Definitions Definitions

	mu     sync.Mutex
	groups map[string]place // control groups by unit
}

// Serve answers until ctx ends, which must be after the supervisor has.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.status)
	mux.HandleFunc("GET /v1/watch", s.watch)
	mux.HandleFunc("POST /v1/command", s.command)
	mux.HandleFunc("POST /v1/rotate", s.rotate)
	mux.HandleFunc("GET /v1/plan", s.plan)
	mux.HandleFunc("POST /v1/reload", s.reload)
	mux.HandleFunc("POST /v1/set", s.set)
	mux.HandleFunc("POST /v1/scale", s.scale)
	srv := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	// The answers under way are finished: those who watch see the last records.
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		last, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		if srv.Shutdown(last) != nil {
			srv.Close()
		}
	})
	err := srv.Serve(l)
	if !stop() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// farewell is how long clients may take for the last answers.
const farewell = 2 * time.Second

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	snap, err := s.Supervisor.Snapshot(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, s.report(snap))
}

func (s *Server) report(snap units.Snapshot) Report {
	now := time.Now()
	project := s.Project()
	rep := Report{
		Project: project.Name, File: project.File,
		Supervisor: SupervisorState{Active: true, PID: new(os.Getpid()), Version: s.Version, Goroutines: runtime.NumGoroutine()},
		Programs:   make([]ProgramReport, len(snap.Programs)),
	}
	var next atomic.Int64
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(snap.Programs); i = int(next.Add(1)) - 1 {
			rep.Programs[i] = s.programReport(project, snap.Programs[i], now)
		}
	}
	// Reading the control groups is nearly all of the time, and nearly all in the kernel.
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 1+len(snap.Programs)/reportsEach) {
		wg.Go(work)
	}
	wg.Wait()
	own, groups := s.sliceReports(snap, now)
	rep.Slice, rep.Groups = &own, groups
	return rep
}

// reportsEach is how many reports are worth a goroutine.
const reportsEach = 32

func (s *Server) programReport(project units.Project, st units.Status, now time.Time) ProgramReport {
	p := Describe(st.Program, st)
	p.Scaled(project)
	if st.PID != 0 {
		s.Sampler.Fill(&p, s.group(st), upSince(st.State), now)
	}
	if s.Warnings != nil {
		p.Warnings = append(p.Warnings, s.Warnings(st.Name)...)
	}
	if s.Output != nil {
		p.Output = append(p.Output, s.Output(st.Name)...)
	}
	return p
}

// place is where a unit was found by a process of it; its next run may be in another slice.
type place struct {
	group string
	pid   int
}

// group is the unit's control group.
func (s *Server) group(st units.Status) string { return s.groupOf(int(st.PID), st.Unit) }

// groupOf is the control group of a unit, which the kernel tells of a process in it.
func (s *Server) groupOf(pid int, unit string) string {
	s.mu.Lock()
	known := s.groups[unit]
	s.mu.Unlock()
	if known.pid == pid || pid == 0 {
		return known.group
	}
	g, err := cgroup.Of(pid, unit)
	if err != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups == nil {
		s.groups = map[string]place{}
	}
	s.groups[unit] = place{g, pid}
	return g
}

// Line is one line of a watch: the first has a snapshot, all others a record.
type Line struct {
	Snapshot *units.Snapshot `json:"snapshot,omitempty"`
	Record   *units.Record   `json:"record,omitempty"`
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	snap, records, err := s.Supervisor.Watch(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	enc := json.NewEncoder(w)
	flusher := http.NewResponseController(w)
	if enc.Encode(Line{Snapshot: &snap}) != nil || flusher.Flush() != nil {
		return
	}
	for rec := range records {
		if enc.Encode(Line{Record: &rec}) != nil {
			return
		}
		if len(records) == 0 && flusher.Flush() != nil {
			return
		}
	}
}

func (s *Server) command(w http.ResponseWriter, r *http.Request) {
	var cmd units.Command
	if read(w, r, &cmd) {
		snap, err := s.Supervisor.Do(r.Context(), cmd)
		answerOr(w, r, snap, err)
	}
}

// RotateRequest names the programs whose files shall be rotated; none = all.
type RotateRequest struct {
	Programs []string `json:"programs"`
}

// Rotated is a file that was to be rotated.
type Rotated struct {
	File  string `json:"file"`
	Error string `json:"error,omitempty"` // why it could not be; the file is named in it
}

// rotateTime bounds a rotation: a disk may not answer.
const rotateTime = 30 * time.Second

func (s *Server) rotate(w http.ResponseWriter, r *http.Request) {
	var req RotateRequest
	if !read(w, r, &req) {
		return
	}
	snap, err := s.Supervisor.Snapshot(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	var all []string
	for _, p := range snap.Programs {
		all = append(all, p.Name)
	}
	if len(req.Programs) == 0 {
		req.Programs = all
	}
	for _, name := range req.Programs {
		if !slices.Contains(all, name) {
			fail(w, r, units.UnknownProgramError{Name: name})
			return
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), rotateTime)
	defer cancel()
	answer(w, s.Rotate(ctx, req.Programs))
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

func fail(w http.ResponseWriter, r *http.Request, err error) {
	var unknown units.UnknownProgramError
	var invalid *InvalidError
	switch {
	case errors.As(err, &invalid):
		http.Error(w, invalid.Message, http.StatusUnprocessableEntity)
	case errors.As(err, &unknown):
		http.Error(w, err.Error(), http.StatusNotFound)
	case errors.Is(err, units.ErrDown), r.Method == http.MethodGet && errors.Is(err, context.Canceled):
		// Cancelled is what the end of the supervisor does to a question that came last.
		http.Error(w, err.Error(), http.StatusGone)
	case errors.Is(err, ErrOtherPlan):
		http.Error(w, err.Error(), otherPlan)
	default:
		http.Error(w, err.Error(), http.StatusConflict)
	}
}
