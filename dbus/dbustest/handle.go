package dbustest

import (
	"fmt"

	godbus "github.com/godbus/dbus/v5"
)

func (s *Server) handle(conn *godbus.Conn, msg *godbus.Message) {
	member, _ := msg.Headers[godbus.FieldMember].Value().(string)
	object, _ := msg.Headers[godbus.FieldPath].Value().(godbus.ObjectPath)
	arg := func(i int) string {
		if i >= len(msg.Body) {
			return ""
		}
		v, _ := msg.Body[i].(string)
		return v
	}
	if object == managerPath && member != "Get" {
		s.log = append(s.log, member+" "+arg(0))
	}
	if s.hold[member] {
		return
	}
	if e, ok := s.fail[member]; ok {
		s.error(conn, msg, e.Name, fmt.Sprint(e.Body[0]))
		return
	}
	switch member {
	case "Subscribe":
		s.reply(conn, msg)
	case "Get":
		s.get(conn, msg, object, arg(1))
	case "GetAll":
		for _, u := range s.units {
			if Path(u.name) == object {
				s.reply(conn, msg, variants(u.allProps()))
				return
			}
		}
		// A unit that is not loaded: an empty stub comes and goes.
		s.reply(conn, msg, variants(map[string]any{"LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead", "Result": "success", "InvocationID": []byte{}}))
	case "GetUnit":
		if s.unit(conn, msg, arg(0)) != nil {
			s.reply(conn, msg, Path(arg(0)))
		}
	case "StartTransientUnit":
		props, _ := msg.Body[2].([][]any)
		s.start(conn, msg, arg(0), props)
	case "StopUnit":
		u := s.unit(conn, msg, arg(0))
		if u == nil {
			return
		}
		s.reply(conn, msg, jobPath(s.queueJob(u)))
		u.active, u.sub = "deactivating", "stop-sigterm"
		s.changed(u)
		u.active, u.sub, u.code, u.status, u.mainPID = "inactive", "dead", 2, 15, 0
		s.changed(u)
		s.finishJob(u, "done")
		s.remove(u)
	case "ReloadUnit":
		u := s.unit(conn, msg, arg(0))
		if u == nil {
			return
		}
		s.reply(conn, msg, jobPath(s.queueJob(u)))
		s.changed(u)
		if !s.jobsWait {
			s.finishJob(u, "done")
		}
	case "ResetFailedUnit":
		if u := s.unit(conn, msg, arg(0)); u != nil {
			s.reply(conn, msg)
			u.result = "success"
			if u.active == "failed" {
				u.active, u.sub = "inactive", "dead"
				s.changed(u)
				s.remove(u)
			}
		}
	case "SetUnitProperties":
		if u := s.unit(conn, msg, arg(0)); u != nil {
			props, _ := msg.Body[2].([][]any)
			for _, p := range props {
				if v, ok := p[1].(godbus.Variant); ok {
					u.set[fmt.Sprint(p[0])] = v.Value()
				}
			}
			s.reply(conn, msg)
		}
	case "KillUnit":
		if u := s.unit(conn, msg, arg(0)); u != nil {
			if u.mainPID == 0 {
				s.error(conn, msg, "org.freedesktop.systemd1.NoSuchProcess", "No main process to kill")
				return
			}
			s.reply(conn, msg)
		}
	case "ListUnitsByPatterns":
		patterns, _ := msg.Body[1].([]string)
		s.reply(conn, msg, s.list(patterns))
	default:
		s.error(conn, msg, "org.freedesktop.DBus.Error.UnknownMethod", "Unknown method "+member)
	}
}

func (s *Server) unit(conn *godbus.Conn, msg *godbus.Message, name string) *unit {
	u := s.units[name]
	if u == nil {
		s.error(conn, msg, "org.freedesktop.systemd1.NoSuchUnit", "Unit "+name+" not loaded.")
	}
	return u
}

func (s *Server) get(conn *godbus.Conn, msg *godbus.Message, object godbus.ObjectPath, name string) {
	if object == managerPath {
		values := map[string]any{"DefaultTasksMax": uint64(4915), "Version": "252.39-1~deb12u2", "ControlGroup": "/init.scope", "SystemState": "running"}
		if v, ok := values[name]; ok {
			s.reply(conn, msg, godbus.MakeVariant(v))
			return
		}
	}
	for _, u := range s.units {
		if u.job != 0 && jobPath(u.job) == object && name == "JobType" {
			s.reply(conn, msg, godbus.MakeVariant("start"))
			return
		}
		if v, ok := u.allProps()[name]; ok && Path(u.name) == object {
			s.reply(conn, msg, godbus.MakeVariant(v))
			return
		}
	}
	s.error(conn, msg, "org.freedesktop.DBus.Error.UnknownObject", "Unknown object "+string(object))
}
