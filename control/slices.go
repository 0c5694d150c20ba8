package control

import (
	"time"

	"msup/cgroup"
	"msup/units"
)

// SliceReport is the slice of a group, or of the project, and what is in it together.
type SliceReport struct {
	Name       string       `json:"name"`  // of the group; of the project
	Slice      string       `json:"slice"` // its unit
	Programs   []string     `json:"programs"`
	Memory     MemoryReport `json:"memory"`
	CPU        CPUReport    `json:"cpu"`
	Tasks      *uint64      `json:"tasks"`
	TasksLimit *uint64      `json:"tasks_limit"` // null = none
	// Warnings are limits that do not hold.
	Warnings []string `json:"warnings"`
}

// DescribeSlices reports the project's slice and those of its groups, without their use.
func DescribeSlices(project units.Project) (own SliceReport, groups []SliceReport) {
	groups = []SliceReport{}
	for _, s := range units.Slices(project) {
		r := SliceReport{Name: s.Group, Slice: s.Unit, Programs: []string{}, Warnings: []string{}}
		r.Memory.limits(s.Limits)
		r.CPU.limits(s.Limits)
		r.TasksLimit = finite(s.Limits.TasksMax)
		for _, p := range project.Programs {
			if s.Group == "" || p.InGroup == s.Group {
				r.Programs = append(r.Programs, p.Name)
			}
		}
		if s.Group == "" {
			r.Name = project.Name
			own = r
		} else {
			groups = append(groups, r)
		}
	}
	return own, groups
}

// Limited reports whether there is a limit that can be compared with what is used.
func (r SliceReport) Limited() bool {
	return r.Memory.Limit != nil || r.CPU.Limit != nil || r.TasksLimit != nil
}

// finite is a limit, nil where it is none.
func finite(n *uint64) *uint64 {
	if n != nil && *n == units.Infinity {
		return nil
	}
	return n
}

func (m *MemoryReport) limits(l units.Limits) { m.Limit = finite(l.MemoryMax) }

func (c *CPUReport) limits(l units.Limits) {
	if n := finite(l.CPUPercent); n != nil {
		c.Limit = new(float64(*n) / 100)
	}
}

// Use adds what the slice's control group says.
func (r *SliceReport) Use(u cgroup.Usage) {
	r.Memory.use(u)
	r.CPU.use(u)
	r.Tasks = u.Pids.Current
}

// FillSlice is [Sampler.Fill] for a slice; since is zero where it is not known.
func (s *Sampler) FillSlice(r *SliceReport, group string, since, now time.Time) {
	u, ok := s.read(group)
	if !ok {
		return
	}
	r.Use(u)
	r.CPU.Percent = s.percent(group, u, since, now)
}

// sliceReports reports the slices, whose control groups any process in them tells.
func (s *Server) sliceReports(snap units.Snapshot, now time.Time) (own SliceReport, groups []SliceReport) {
	own, groups = DescribeSlices(s.Project())
	inside := func(r *SliceReport) {
		if g := s.sliceGroup(r, snap); g != "" {
			s.Sampler.FillSlice(r, g, time.Time{}, now)
		}
		if s.SliceWarnings != nil {
			r.Warnings = append(r.Warnings, s.SliceWarnings(r.Slice)...)
		}
	}
	inside(&own)
	for i := range groups {
		inside(&groups[i])
	}
	return own, groups
}

// sliceGroup is the control group of a slice, "" while no process in it was seen.
func (s *Server) sliceGroup(r *SliceReport, snap units.Snapshot) string {
	in := map[string]bool{}
	for _, name := range r.Programs {
		in[name] = true
	}
	g := ""
	for _, st := range snap.Programs {
		if in[st.Name] && g == "" {
			g = s.groupOf(int(st.PID), r.Slice)
		}
	}
	return g
}
