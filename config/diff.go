package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"msup/policy"
	"msup/units"
)

// Diff compares a project that is up with the configuration: old is its definition in force,
// running how its programs are, wanted what the file says by now.
func Diff(old units.Project, running []units.Status, wanted *Config) units.Plan {
	plan := units.Plan{
		Project: old.Name, File: wanted.File, Programs: []units.ProgramPlan{},
		Changes: changes(projectSection, old.Settings, wanted.Settings, live), Groups: diffGroups(old, wanted.Project),
		Instances: diffInstances(old, wanted.Project),
	}
	for _, def := range wanted.Programs {
		i := slices.IndexFunc(running, func(st units.Status) bool { return st.Name == def.Name })
		if i < 0 || running[i].Leaving || def.Autostart && running[i].NeverStarted() {
			p := units.ProgramPlan{
				Name: def.Name, Effect: units.EffectAdd, Starts: def.Autostart && def.Rules.Awaits == "",
				Changes: changes(programSection, nil, def.Settings, func(*Key) units.Effect { return units.EffectAdd }),
			}
			if def.Autostart {
				p.Awaits, p.Opens = def.Rules.Awaits, def.Listen.OnDemand
			}
			plan.Programs = append(plan.Programs, p)
			continue
		}
		if p := diffProgram(running[i], def); p.Effect != units.EffectNone {
			plan.Programs = append(plan.Programs, p)
		}
	}
	for _, st := range running {
		if wanted.Program(st.Name) == nil && !st.Leaving {
			plan.Programs = append(plan.Programs, units.ProgramPlan{
				Name: st.Name, Effect: units.EffectRemove, Stops: st.State.Phase.Up(), Changes: []units.KeyChange{},
			})
		}
	}
	plan.ID = planID(plan, wanted)
	return plan
}

// diffInstances compares the numbers of instances. Programs that are new or gone as a whole
// are not in it.
func diffInstances(old, wanted units.Project) []units.InstancesPlan {
	plans := []units.InstancesPlan{}
	for _, t := range wanted.Templates {
		was := old.Template(t.Name)
		switch {
		case was == nil && old.Program(t.Name) != nil:
			plans = append(plans, units.InstancesPlan{Name: t.Name, New: t.Count()})
		case was != nil && (was.Count() != t.Count() || was.Scaled != t.Scaled):
			plans = append(plans, units.InstancesPlan{Name: t.Name, Old: was.Count(), New: t.Count(), Overridden: was.Scaled > 0})
		}
	}
	for _, t := range old.Templates {
		if wanted.Program(t.Name) != nil {
			plans = append(plans, units.InstancesPlan{Name: t.Name, Old: t.Count(), Overridden: t.Scaled > 0})
		}
	}
	return plans
}

func live(*Key) units.Effect { return units.EffectLive }

func diffGroups(old, wanted units.Project) []units.GroupPlan {
	plans := []units.GroupPlan{}
	for _, g := range wanted.Groups {
		p := units.GroupPlan{Name: g.Name, Effect: units.EffectLive}
		if was := old.Group(g.Name); was != nil {
			p.Changes = changes(groupSection, was.Settings, g.Settings, live)
		} else {
			p.Effect, p.Changes = units.EffectAdd, changes(groupSection, nil, g.Settings, func(*Key) units.Effect { return units.EffectAdd })
		}
		if len(p.Changes) > 0 {
			plans = append(plans, p)
		}
	}
	for _, g := range old.Groups {
		if wanted.Group(g.Name) == nil {
			plans = append(plans, units.GroupPlan{Name: g.Name, Effect: units.EffectRemove, Changes: []units.KeyChange{}})
		}
	}
	return plans
}

// diffProgram compares a program with another definition of it.
func diffProgram(st units.Status, def units.Program) units.ProgramPlan {
	// What takes effect at once is in force; all else is as it was when the run was started.
	inForce, started := st.Program, st.Program.Settings
	if st.State.Phase.Up() && st.Started != nil {
		started = st.Started
	}
	kind := outputKind(inForce) == outputKind(def)
	effect := func(k *Key) units.Effect {
		switch {
		case toldOf(inForce, k.Name) != toldOf(def, k.Name):
			return units.EffectRestart
		case k.Live() && (k.Name != journalRateKey || throughUs(def)), kind && (k.Name == "stdout" || k.Name == "stderr"):
			return units.EffectLive
		}
		return units.EffectRestart
	}
	isLive := func(s units.Setting) bool {
		k := keyOf(programSection, s.Key)
		return k != nil && effect(k) == units.EffectLive
	}
	var was []units.Setting
	for _, s := range inForce.Settings {
		if isLive(s) {
			was = append(was, s)
		}
	}
	for _, s := range started {
		if !isLive(s) {
			was = append(was, s)
		}
	}
	p := units.ProgramPlan{Name: def.Name, Changes: changes(programSection, was, def.Settings, effect)}
	restart := func(c units.KeyChange) bool { return c.Effect == units.EffectRestart }
	if !slices.ContainsFunc(p.Changes, restart) {
		p.Changes = append(p.Changes, unwritten(st, def)...)
	}
	p.InForce = slices.Equal(without(inForce.Settings, inForce.Overrides), without(def.Settings, inForce.Overrides)) && inForce.Digest == def.Digest
	switch {
	case len(p.Changes) == 0:
	case !slices.ContainsFunc(p.Changes, restart):
		p.Effect = units.EffectLive
	case st.State.Armed && st.State.Phase.GaveUp(): // its next time is its next try
		p.Effect = units.EffectNextStart
	case units.Restartable(st.State.Phase):
		p.Effect = units.EffectRestart
		p.Stops = st.State.Phase.Up()
		p.Refuses = inForce.Listens() && def.Listens()
		p.Starts = !p.Stops && st.State.Phase != policy.Backoff
	default:
		p.Effect = units.EffectNextStart
		p.Opens = st.State.Armed && def.Listen.OnDemand
		p.Refuses = p.Opens && inForce.Listens()
	}
	return p
}

// unwritten is what differs though no setting that needs a restart does: the file has moved, or
// nobody remembers by which settings the run was started.
func unwritten(st units.Status, def units.Program) []units.KeyChange {
	switch {
	case st.Digest == def.Digest:
	case st.Program.InGroup != def.InGroup:
		return []units.KeyChange{{Key: "[group]", Effect: units.EffectRestart, Old: named(st.Program.InGroup), New: named(def.InGroup), Otherwise: "none"}}
	case st.Program.Directory != def.Directory:
		return []units.KeyChange{{Key: "directory", Effect: units.EffectRestart, Old: []string{st.Program.Directory}, New: []string{def.Directory}}}
	default:
		return []units.KeyChange{{Effect: units.EffectRestart}}
	}
	return nil
}

func named(group string) []string {
	if group == "" {
		return nil
	}
	return []string{group}
}

// changes compares settings key by key, in the order of the reference.
func changes(section string, old, wanted []units.Setting, effect func(*Key) units.Effect) []units.KeyChange {
	out := []units.KeyChange{}
	seen := map[string]bool{}
	for _, s := range inOrder(slices.Concat(old, wanted)) {
		k := keyOf(section, s.Key)
		if k == nil {
			k = &Key{Section: section, Name: s.Key} // another version of msup knew it
		}
		if seen[s.Key] {
			continue
		}
		seen[s.Key] = true
		a, b := valuesOf(old, s.Key), valuesOf(wanted, s.Key)
		if len(a) == 0 && k.Default != "" && slices.Equal(b, []string{k.Default}) || len(b) == 0 && k.Default != "" && slices.Equal(a, []string{k.Default}) {
			continue // the default, once written and once not
		}
		if !slices.Equal(a, b) {
			out = append(out, units.KeyChange{Key: s.Key, Effect: effect(k), Old: a, New: b, Otherwise: k.otherwise()})
		}
	}
	return out
}

// otherwise is what holds without the key, in words.
func (k *Key) otherwise() string {
	switch {
	case k.Default != "":
		return "default " + k.Default
	case k.Unset != "":
		return k.Unset
	}
	return "not set"
}

// without is settings without those that msup set has put in the place of the configuration's.
func without(settings, overrides []units.Setting) []units.Setting {
	return slices.DeleteFunc(slices.Clone(settings), func(s units.Setting) bool {
		return slices.ContainsFunc(overrides, func(o units.Setting) bool { return o.Key == s.Key })
	})
}

func valuesOf(settings []units.Setting, key string) []string {
	var values []string
	for _, s := range settings {
		if s.Key == key {
			values = append(values, s.Value)
		}
	}
	return values
}

func planID(plan units.Plan, wanted *Config) string {
	h := sha256.New()
	for _, v := range []any{plan, wanted.Project} {
		if err := json.NewEncoder(h).Encode(v); err != nil {
			panic(err) // texts and numbers
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
