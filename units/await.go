package units

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"msup/policy"
)

// The loop's part of what programs depend on: it starts one when it has what it needs, and
// stops one when nothing is being stopped that needs it. Who waits for whom follows from the
// definitions and from how the programs are, so none of it is written down.

// edge is a need of a program in the loop; to nil = of nothing that is there.
type edge struct {
	Need
	to *program
}

// useNeeds finds out who depends on whom, when the definitions have changed.
func (s *Supervisor) useNeeds() {
	defs := make([]Program, len(s.programs))
	for i, p := range s.programs {
		defs[i] = p.def
		p.needs, p.dependents, p.joints = nil, nil, Joints{}
	}
	edges := Edges(defs)
	for _, e := range edges {
		from, to := s.programs[e.From], (*program)(nil)
		if e.To >= 0 {
			to = s.programs[e.To]
			to.dependents = append(to.dependents, from)
			from.joints.add(&to.joints, JointUnit(s.cfg.Project.Name, to.def.Name))
		}
		from.needs = append(from.needs, edge{e.Need, to})
	}
	s.ordered = nil
	order, _ := Order(len(defs), edges) // package config refuses a cycle
	for _, i := range order {
		s.ordered = append(s.ordered, s.programs[i])
	}
}

// look is the need as it is now.
func (e edge) look() policy.Need {
	n := policy.Need{Condition: e.Condition, Optional: e.Optional, Missing: e.to == nil}
	if e.to != nil {
		n.State, n.Over, n.Oneshot = e.to.state, e.to.over(), e.to.def.Rules.Oneshot
		n.Healthy = e.to.healthy()
		if e.to.onDemand() {
			worst, _ := e.to.await()
			n.OnDemand, n.Listens = worst == policy.Met, worst == policy.Met && e.to.pin.digest != ""
		}
	}
	return n
}

// look is how a need of p's is, which may have ended since p waits for it.
func (p *program) look(e edge) policy.Need {
	n := e.look()
	n.Ran = p.unasked() && n.State.Phase == policy.Exited && !n.State.Since.Before(p.state.Started)
	return n
}

// await is how it stands with what p needs.
func (p *program) await() (worst policy.Standing, which edge) {
	if len(p.needs) == 0 || p.alone {
		return policy.Met, edge{}
	}
	looks := make([]policy.Need, len(p.needs))
	for i, e := range p.needs {
		looks[i] = p.look(e)
	}
	worst, first := policy.Await(looks)
	return worst, p.needs[first]
}

// unasked reports whether p is to be started and systemd has not been told: it may have to wait.
func (p *program) unasked() bool { return p.state.Phase == policy.Starting && p.wish == wishStart }

// heldStop reports whether the stop of p has to wait: something that depends on it is being
// stopped.
func (p *program) heldStop() bool {
	return p.state.Phase == policy.Stopping && !p.over() &&
		slices.ContainsFunc(p.dependents, func(d *program) bool { return d.state.Phase == policy.Stopping })
}

// follow has programs follow what has become of those that they depend on. These come first,
// so that one pass is enough.
func (s *Supervisor) follow() {
	if !s.ready || !s.begun {
		return
	}
	for _, p := range s.ordered {
		if len(p.needs) > 0 && !s.down {
			s.followNeeds(p)
		}
	}
	for _, p := range s.ordered {
		p.fell = false
	}
}

func (s *Supervisor) followNeeds(p *program) {
	switch {
	case p.unasked():
		switch worst, e := p.await(); worst {
		case policy.Lost:
			p.wish = noWish
			s.step(p, policy.NeedLost{Reason: e.lost()})
		case policy.Due, policy.Idle:
			s.tellStuck(p)
		}
	case p.state.Unmet && p.def.Schedule.IsZero(): // the next try of one with a schedule is its next time
		switch worst, e := p.await(); worst {
		case policy.Met:
			s.step(p, policy.NeedBack{Reason: "what it needs is there"})
		case policy.Due:
			s.step(p, policy.NeedBack{Reason: fmt.Sprintf("%s is %s", e.to.def.Name, e.to.state.Phase)})
		}
	case p.def.OnDependency != policy.IgnoreEnd:
		for _, e := range p.needs {
			if e.to != nil && e.to.fell && e.look().Ends() {
				s.step(p, policy.NeedEnded{
					Reason: fmt.Sprintf("%s is %s (%s), on_dependency is %s", e.to.def.Name, e.to.state.Phase, e.to.state.Reason, p.def.OnDependency),
					Again:  p.def.OnDependency == policy.RestartAtEnd,
				})
				return
			}
		}
	}
}

// name is that of the other program.
func (e edge) name() string {
	if e.to == nil {
		return e.Of
	}
	return e.to.def.Name
}

// lost says why a need is not met any more.
func (e edge) lost() string {
	if e.to == nil {
		return fmt.Sprintf("needs %s, which the project does not have", e.Of)
	}
	return fmt.Sprintf("needs %s, which is %s: %s", e.to.def.Name, e.to.state.Phase, e.to.state.Reason)
}

// Wait is something that a program waits for before it is started.
type Wait struct {
	Program   string           `json:"program"`
	Condition policy.Condition `json:"condition"`
	Since     time.Time        `json:"since"` // when its start was asked for
	// Idle is how the other program is, if it is down and is started only on request.
	Idle policy.Phase `json:"idle,omitempty"`
	// Stuck: it waits for one that is.
	Stuck bool `json:"stuck,omitempty"`
}

// waits lists what p waits for.
func (p *program) waits() []Wait {
	if !p.unasked() {
		return nil
	}
	return p.unmet()
}

// unmet lists what p would wait for.
func (p *program) unmet() (out []Wait) {
	if p.alone {
		return nil
	}
	for _, e := range p.needs {
		n := p.look(e)
		if st := n.Standing(); st == policy.Due || st == policy.Idle {
			w := Wait{Program: e.to.def.Name, Condition: e.Condition, Since: p.state.Started, Stuck: e.to.stuck}
			if st == policy.Idle {
				w.Idle = n.State.Phase
			}
			out = append(out, w)
		}
	}
	return out
}

// stuck reports whether something that is waited for is down, or waits for such a one.
func stuck(waits []Wait) bool {
	return slices.ContainsFunc(waits, func(w Wait) bool { return w.Idle != "" || w.Stuck })
}

// tellStuck tells of a program that waits for one that is down now, or no longer: that changes
// no state, and whoever waits for the program has to know.
func (s *Supervisor) tellStuck(p *program) {
	if waits := p.unmet(); stuck(waits) != p.stuck {
		p.stuck = !p.stuck
		s.note(p, "%s", waitWords(waits))
	}
}

// Stuck reports whether the program waits for one that is down, and is started only on request.
func (st Status) Stuck() bool { return stuck(st.WaitsFor) }

// waitWords is "waits for db (ready), cache (started) and 3 more"; "" if it waits for nothing.
func waitWords(waits []Wait) string {
	const most = 3
	var words []string
	for i, w := range waits {
		if i == most {
			words = append(words, fmt.Sprintf("%d more", len(waits)-most))
			break
		}
		text := fmt.Sprintf("%s (%s)", w.Program, w.Condition)
		switch {
		case w.Idle != "":
			text = fmt.Sprintf("%s (%s; it is %s)", w.Program, w.Condition, w.Idle)
		case w.Stuck:
			text = fmt.Sprintf("%s (%s; it waits for what is down)", w.Program, w.Condition)
		}
		words = append(words, text)
	}
	if len(words) == 0 {
		return ""
	}
	text := words[len(words)-1]
	if n := len(words) - 1; n > 0 {
		text = strings.Join(words[:n], ", ") + " and " + text
	}
	return "waits for " + text
}

// startWith starts programs, each by start, and what they depend on and is down, which it
// returns. What is depended on is first. by is who asks.
func (s *Supervisor) startWith(programs []*program, start func(*program), by string) (pulled []string) {
	chosen, extra := map[*program]bool{}, map[*program]*program{}
	for _, p := range programs {
		chosen[p] = true
	}
	for _, p := range programs {
		if !p.alone {
			pull(p, chosen, extra)
		}
	}
	for _, p := range s.ordered {
		switch of := extra[p]; {
		case chosen[p]:
			start(p)
		case of != nil:
			s.startOnRequest(p, fmt.Sprintf("%s depends on it, %s", of.def.Name, by))
			pulled = append(pulled, p.def.Name)
		}
	}
	return pulled
}

// pull finds what p depends on and is down, and for the sake of which program it is to be
// started. What is optional is not.
func pull(p *program, chosen map[*program]bool, extra map[*program]*program) {
	for _, e := range p.needs {
		if e.Optional || e.to == nil || e.to.dropping || chosen[e.to] || extra[e.to] != nil || e.to.state.IsActive() {
			continue
		}
		if st := e.look().Standing(); st == policy.Met {
			continue
		} else if st != policy.Due {
			extra[e.to] = p
		}
		pull(e.to, chosen, extra)
	}
}

// withDependents adds to programs what depends on them and is up, and what depends on that.
func (s *Supervisor) withDependents(programs []*program) []*program {
	all := map[*program]bool{}
	for _, p := range programs {
		all[p] = true
	}
	for _, p := range s.ordered {
		if !all[p] && p.state.Phase.Up() && slices.ContainsFunc(p.needs, func(e edge) bool { return all[e.to] }) {
			all[p] = true
		}
	}
	return s.among(all)
}

// among lists programs so that what is depended on comes first.
func (s *Supervisor) among(set map[*program]bool) (out []*program) {
	for _, p := range s.ordered {
		if set[p] {
			out = append(out, p)
		}
	}
	return out
}

// reversed lists programs so that what depends on others comes first.
func (s *Supervisor) reversed(programs []*program) []*program {
	set := map[*program]bool{}
	for _, p := range programs {
		set[p] = true
	}
	out := s.among(set)
	slices.Reverse(out)
	return out
}
