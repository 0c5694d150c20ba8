package units

import "slices"

// Effect is what a change of the configuration does to a program.
type Effect string

const (
	EffectNone      Effect = ""
	EffectLive      Effect = "live"       // takes effect at once, nothing is restarted
	EffectRestart   Effect = "restart"    // it is stopped and started again; what had given up is started
	EffectNextStart Effect = "next-start" // it does not run and stays so: takes effect when it is started
	EffectAdd       Effect = "add"        // it is new, or was never started; it is started if it starts by itself
	EffectRemove    Effect = "remove"     // it is stopped and forgotten
)

// Plan is what the configuration file, as it is now, would change in a project that is up.
type Plan struct {
	Project string `json:"project"`
	File    string `json:"file"` // the configuration
	// ID stands for all of the plan and for the configuration behind it: what is carried out
	// under this ID is what was shown.
	ID string `json:"id"`
	// Changes are those of [msup]; all take effect at once.
	Changes []KeyChange `json:"changes"`
	// Groups are those that change: added, removed, or live.
	Groups []GroupPlan `json:"groups"`
	// Instances are the programs whose number of instances changes.
	Instances []InstancesPlan `json:"instances"`
	// Programs are those that change, in the order of the configuration, removed ones last.
	Programs []ProgramPlan `json:"programs"`
}

// ProgramPlan is what changes for one program.
type ProgramPlan struct {
	Name   string `json:"name"`
	Effect Effect `json:"effect"`
	Starts bool   `json:"starts"` // it does not run now, and will
	// Awaits is what a new program waits for instead of being started, in words; "" = it does not.
	Awaits string `json:"awaits,omitempty"`
	Stops  bool   `json:"stops"` // it runs now, and will not, or not the same
	// Refuses: its sockets are made anew, and for a moment who connects is refused.
	Refuses bool `json:"refuses"`
	// Opens: it is not started, and systemd listens for it anew.
	Opens bool `json:"opens"`
	// InForce: the supervisor has read all of it already. The run was started before that, or
	// msup set has overridden something.
	InForce bool        `json:"in_force"`
	Changes []KeyChange `json:"changes"`
}

// GroupPlan is what changes for the slice of a group. A program that goes into another group
// is restarted, see its own plan.
type GroupPlan struct {
	Name    string      `json:"name"`
	Effect  Effect      `json:"effect"`
	Changes []KeyChange `json:"changes"`
}

// InstancesPlan is another number of instances of a program; 0 = it has none, and is one
// program. Those that come and go are among the programs of the plan.
type InstancesPlan struct {
	Name string `json:"name"`
	Old  int    `json:"old"`
	New  int    `json:"new"`
	// Overridden: Old is what msup scale has asked for.
	Overridden bool `json:"overridden"`
}

// KeyChange is one key that changes.
type KeyChange struct {
	Key    string `json:"key"`
	Effect Effect `json:"effect"`
	// Old and New are the values as they are written, each line of a repeated key one of them;
	// none = the key is not there, and its default holds.
	Old []string `json:"old"`
	New []string `json:"new"`
	// Otherwise is what holds without the key, in words.
	Otherwise string `json:"otherwise"`
}

// Empty reports whether nothing changes.
func (p Plan) Empty() bool {
	return len(p.Changes) == 0 && len(p.Groups) == 0 && len(p.Instances) == 0 && len(p.Programs) == 0
}

// Disruptive reports whether something that runs is stopped.
func (p Plan) Disruptive() bool {
	return slices.ContainsFunc(p.Programs, func(p ProgramPlan) bool { return p.Stops })
}

// Restarts names the programs that are to be restarted, and those that are to be started.
func (p Plan) Restarts() []string {
	var names []string
	for _, prog := range p.Programs {
		if prog.Effect == EffectRestart || prog.Effect == EffectAdd && prog.Starts {
			names = append(names, prog.Name)
		}
	}
	return names
}
