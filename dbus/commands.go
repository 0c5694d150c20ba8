package dbus

import (
	"cmp"
	"slices"
	"time"

	"msup/units"
)

// commandLists are the properties of a service that list commands beside ExecStart, in the
// order they run.
var commandLists = []string{"ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"}

// commandStatuses reads a list of commands with their statuses, of type a(sasbttttuii): path,
// arguments, whether its failure is ignored, when it was started and ended (wall clock and
// monotonic), PID, waitid code and status (org.freedesktop.systemd1(5)). Those that were not
// run are left out.
func commandStatuses(setting string, v any) []units.CommandStatus {
	rows, _ := v.([][]any)
	var out []units.CommandStatus
	for n, row := range rows {
		if len(row) < 10 {
			continue
		}
		c := units.CommandStatus{Setting: setting, N: n}
		var begin, end uint64
		set(&c.Path, row[0])
		set(&c.MayFail, row[2])
		set(&begin, row[4])
		set(&end, row[6])
		set(&c.PID, row[7])
		set(&c.Code, row[8])
		set(&c.Status, row[9])
		if c.PID == 0 {
			continue
		}
		if c.Ended = end > 0 && end >= begin; c.Ended {
			c.Ran = time.Duration(end-begin) * time.Microsecond
		}
		out = append(out, c)
	}
	return out
}

// inOrder sorts commands as they run. They are read, though there may be none.
func inOrder(list []units.CommandStatus) []units.CommandStatus {
	slices.SortFunc(list, func(a, b units.CommandStatus) int {
		return cmp.Or(slices.Index(commandLists, a.Setting)-slices.Index(commandLists, b.Setting), a.N-b.N)
	})
	if list == nil {
		list = []units.CommandStatus{}
	}
	return list
}
