package units

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// LiveProperties lists the properties that the unit of p can be given while it runs, for
// Manager.SetUnitProperties: the limits, and the description. One that is not configured gets
// systemd's default, because the unit may have another value: [Infinity] stands for "not
// set" in properties of systemd.resource-control(5). tasksMax is the manager's
// DefaultTasksMax, 0 = not known: then TasksMax is left alone.
func LiveProperties(p Program, tasksMax uint64) []Property {
	props := append([]Property{{"Description", p.Description}}, allLimits(p.Limits)...)
	if p.Limits.TasksMax != nil {
		return props
	}
	for i := range props {
		switch {
		case props[i].Name != "TasksMax":
		case tasksMax == 0:
			return slices.Delete(props, i, i+1)
		default:
			props[i].Value = tasksMax
		}
	}
	return props
}

// liveDigest stands for what [LiveProperties] of a definition depend on.
func liveDigest(p Program) string {
	l := p.Limits
	l.Nice, l.NoFile, l.OOMScoreAdjust = nil, nil, nil // of processes, at their start only
	data, err := json.Marshal(struct {
		Description string
		Limits      Limits
	}{p.Description, l})
	if err != nil {
		panic(err) // numbers and a text
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
