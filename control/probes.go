package control

import (
	"slices"
	"time"

	"msup/policy"
	"msup/units"
)

// ProbeReport is what one of a program's probes has said of the run under way, as far as the
// supervisor that runs has seen it.
type ProbeReport struct {
	Of    string `json:"of"`    // "ready" or "alive"
	Probe string `json:"probe"` // what is asked, in words
	// Told says that nobody is asked: the program tells systemd, by sd_notify(3), or writes a line,
	// which is Output. It has no tries.
	Told  bool `json:"told"`
	Tries int  `json:"tries"`
	// Interval and Timeout are those between two tries and of one, in seconds; null = nobody is
	// asked. Of a watchdog Interval is its time.
	Interval *float64 `json:"interval"`
	Timeout  *float64 `json:"timeout"`
	// All that follows is of the last one that has ended, null = none has.
	Passed      *bool      `json:"passed"`
	InRow       int        `json:"in_row"`    // the last so many had the same result
	Threshold   int        `json:"threshold"` // so many in a row count
	Error       *string    `json:"error"`     // null = it passed
	Output      *string    `json:"output"`    // its last line
	LatencyUsec *int64     `json:"latency_usec"`
	At          *time.Time `json:"at"` // when it ended
}

func probeReport(st units.ProbeStatus) ProbeReport {
	r := ProbeReport{Of: st.Of, Probe: st.Probe, Told: st.Told, Tries: st.Tries, InRow: st.InRow, Threshold: st.Threshold}
	if st.Told {
		r.Passed = new(st.Passed)
		if st.Output != "" {
			r.Output = new(st.Output)
		}
		if !st.At.IsZero() {
			r.At = new(st.At)
		}
		return r
	}
	if st.Tries == 0 {
		return r
	}
	r.Passed, r.LatencyUsec, r.At = new(st.Passed), new(st.Latency), new(st.At)
	if st.Error != "" {
		r.Error = new(st.Error)
	}
	if st.Output != "" {
		r.Output = new(st.Output)
	}
	return r
}

// Status is what the report was made of.
func (r ProbeReport) Status() units.ProbeStatus {
	st := units.ProbeStatus{Of: r.Of, Probe: r.Probe, Told: r.Told, Tries: r.Tries, InRow: r.InRow, Threshold: r.Threshold}
	if r.Told {
		st.Passed = r.Passed != nil && *r.Passed
		if r.Output != nil {
			st.Output = *r.Output
		}
		if r.At != nil {
			st.At = *r.At
		}
		return st
	}
	if r.Passed == nil || r.LatencyUsec == nil || r.At == nil {
		return st
	}
	st.Passed, st.Latency, st.At = *r.Passed, *r.LatencyUsec, *r.At
	if r.Error != nil {
		st.Error = *r.Error
	}
	if r.Output != nil {
		st.Output = *r.Output
	}
	return st
}

// health fills in what the probes come to.
func (r *ProgramReport) health(def units.Program, st units.Status) {
	r.Ready = st.State.Phase == policy.Running
	r.Probes = []ProbeReport{}
	for _, of := range []struct {
		name string
		def  units.Probe
	}{{"ready", def.Ready}, {"alive", def.Alive}} {
		if of.def.Kind == "" {
			continue
		}
		p := units.ProbeStatus{Of: of.name, Probe: of.def.String(), Told: !of.def.Kind.Asked(), Threshold: of.def.Threshold}
		if i := slices.IndexFunc(st.Probes, func(p units.ProbeStatus) bool { return p.Of == of.name }); i >= 0 {
			p = st.Probes[i]
		}
		rep := probeReport(p)
		switch d := of.def; {
		case d.Kind.Asked():
			rep.Interval, rep.Timeout = new(d.Interval.Seconds()), new(d.Timeout.Seconds())
		case d.Every > 0:
			rep.Interval = new(d.Every.Seconds())
		}
		r.Probes = append(r.Probes, rep)
		if p.Of == "alive" && (p.Tries > 0 || p.Told) && st.State.Phase == policy.Running {
			r.Healthy = new(p.Passed)
		}
	}
	if st.Said != "" {
		r.Said = new(st.Said)
	}
	r.Probed = def.Ready.Kind != "" || def.Alive.Kind != ""
}
