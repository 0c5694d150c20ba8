package dbustest

import (
	"fmt"
	"maps"
	"path"
	"strings"

	godbus "github.com/godbus/dbus/v5"
)

type unit struct {
	name         string
	active, sub  string
	result       string
	invocation   []byte
	job          uint32
	mainPID      uint32
	code, status int32
	entered      uint64
	slice, descr string
	env          []string
	fragment     string
	transient    bool
	after        []string
	set          map[string]any // by SetUnitProperties
}

// Path is the object path of a unit.
func Path(name string) godbus.ObjectPath {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && '0' <= c && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return godbus.ObjectPath(managerPath + "/unit/" + b.String())
}

func jobPath(id uint32) godbus.ObjectPath {
	if id == 0 {
		return "/"
	}
	return godbus.ObjectPath(fmt.Sprintf("%s/job/%d", managerPath, id))
}

type jobRef struct {
	ID   uint32
	Path godbus.ObjectPath
}

func variants(m map[string]any) map[string]godbus.Variant {
	out := make(map[string]godbus.Variant, len(m))
	for k, v := range m {
		out[k] = godbus.MakeVariant(v)
	}
	return out
}

func (u *unit) serviceProps() map[string]any {
	return map[string]any{
		"Type": "exec", "Result": u.result, "MainPID": u.mainPID, "ControlPID": uint32(0), "NRestarts": uint32(0),
		"ExecMainCode": u.code, "ExecMainStatus": u.status, "StatusText": "as well as can be expected", "UID": ^uint32(0),
	}
}

func (u *unit) unitProps() map[string]any {
	return map[string]any{
		"ActiveState": u.active, "SubState": u.sub, "InvocationID": u.invocation, "Job": jobRef{u.job, jobPath(u.job)},
		"ActiveEnterTimestamp": u.entered, "ConditionResult": true, "FreezerState": "running",
	}
}

// allProps is the answer to GetAll of every interface.
func (u *unit) allProps() map[string]any {
	all := u.serviceProps()
	maps.Copy(all, u.unitProps())
	all["Id"], all["LoadState"], all["Description"] = u.name, "loaded", u.descr
	all["FragmentPath"], all["Transient"] = u.fragment, u.transient
	all["Slice"], all["Environment"] = u.slice, u.env
	all["ControlGroup"] = "/" + u.slice + "/" + u.name
	all["After"] = append([]string{"basic.target"}, u.after...)
	maps.Copy(all, u.set)
	return all
}

// changed sends the two signals that make a snapshot.
func (s *Server) changed(u *unit) {
	s.signal(Path(u.name), propsIface, "PropertiesChanged", serviceIface, variants(u.serviceProps()), []string{"Environment"})
	s.signal(Path(u.name), propsIface, "PropertiesChanged", unitIface, variants(u.unitProps()), []string{"After"})
}

// neighbour is what every start and stop says about units beside it.
func (s *Server) neighbour(name string) {
	s.signal(Path(name), propsIface, "PropertiesChanged", unitIface, variants(map[string]any{"ActiveState": "active"}), []string{})
}

func (s *Server) queueJob(u *unit) uint32 {
	s.nextJob += 55 // observed: the transaction numbers jobs of anchored units too
	u.job = s.nextJob
	return u.job
}

func (s *Server) finishJob(u *unit, result string) {
	id := u.job
	s.signal(managerPath, managerIface, "JobRemoved", id, jobPath(id), u.name, result)
	u.job = 0
}

func (s *Server) remove(u *unit) {
	delete(s.units, u.name)
	s.signal(managerPath, managerIface, "UnitRemoved", u.name, Path(u.name))
}

func (s *Server) start(conn *godbus.Conn, msg *godbus.Message, name string, props [][]any) {
	if _, ok := s.units[name]; ok {
		s.error(conn, msg, "org.freedesktop.systemd1.UnitExists", "Unit "+name+" was already loaded or has a fragment file.")
		return
	}
	u := &unit{name: name, active: "inactive", sub: "dead", result: "success", transient: true, slice: "system.slice", invocation: []byte{}, set: map[string]any{}}
	for _, p := range props {
		if len(p) != 2 {
			continue
		}
		v, _ := p[1].(godbus.Variant)
		switch p[0] {
		case "Slice":
			u.slice, _ = v.Value().(string)
		case "Description":
			u.descr, _ = v.Value().(string)
		case "After":
			u.after, _ = v.Value().([]string)
		case "Environment":
			u.env, _ = v.Value().([]string)
		case "Nonsense":
			s.error(conn, msg, "org.freedesktop.DBus.Error.PropertyReadOnly", "Cannot set property Nonsense, or unknown property.")
			return
		}
	}
	s.units[name] = u
	id := s.queueJob(u)
	s.reply(conn, msg, jobPath(id))
	s.signal(managerPath, managerIface, "UnitNew", name, Path(name))
	s.signal(managerPath, managerIface, "JobNew", id, jobPath(id), name)
	s.neighbour("shutdown.target")
	s.neighbour("basic.target")
	s.changed(u)
	if !s.jobsWait {
		s.run(u)
	}
}

func (s *Server) run(u *unit) {
	s.nextRun++
	u.invocation = []byte("invocation-id-0\x00")
	u.invocation[15] = s.nextRun
	u.active, u.sub, u.mainPID, u.entered = "active", "running", 1000+uint32(s.nextRun), 1_700_000_000_000_000
	s.changed(u)
	s.finishJob(u, "done")
	s.changed(u)
}

// FinishJob lets the held start job of a unit end; with "done" the unit is active then,
// else failed.
func (s *Server) FinishJob(name, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[name]
	if result == "done" {
		s.run(u)
		return
	}
	u.active, u.sub, u.result = "failed", "failed", "exit-code"
	s.changed(u)
	s.finishJob(u, result)
	s.changed(u)
}

// EndJob ends the job of a unit that runs, and goes on running.
func (s *Server) EndJob(name, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishJob(s.units[name], result)
}

// SetCommands gives a unit a list of commands with their statuses, as ExecReload has.
func (s *Server) SetCommands(name, property string, rows any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units[name].set[property] = rows
}

// Exit ends the main process of a unit: code is waitid's (1 exited, 2 killed).
func (s *Server) Exit(name string, code, status int32, result string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[name]
	u.code, u.status, u.result, u.mainPID = code, status, result, 0
	if result == "success" {
		u.active, u.sub = "inactive", "dead"
		s.changed(u)
		s.remove(u)
		return
	}
	u.active, u.sub = "failed", "failed"
	s.changed(u)
}

// AddUnit loads a unit that has a file, failed or active.
func (s *Server) AddUnit(name, active string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.units[name] = &unit{name: name, active: active, sub: active, result: "success", fragment: "/etc/systemd/system/" + name, slice: "system.slice", invocation: []byte{}, set: map[string]any{}}
}

func (s *Server) list(patterns []string) any {
	type row struct {
		Name, Description, Load, Active, Sub, Following string
		Path                                            godbus.ObjectPath
		JobID                                           uint32
		JobType                                         string
		JobPath                                         godbus.ObjectPath
	}
	rows := []row{{"msup-missing.service", "", "not-found", "inactive", "dead", "", Path("msup-missing.service"), 0, "", "/"}}
	for _, u := range s.units {
		for _, p := range patterns {
			if ok, _ := path.Match(p, u.name); ok {
				rows = append(rows, row{u.name, u.descr, "loaded", u.active, u.sub, "", Path(u.name), u.job, "", jobPath(u.job)})
				break
			}
		}
	}
	return rows
}
