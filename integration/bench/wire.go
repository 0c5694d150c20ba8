//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/godbus/dbus/v5"

	"msup/units"
)

// manager is a bare connection to PID 1's private socket: the least a client can do. It
// decodes nothing but the signals it waits for.
type manager struct {
	nc     net.Conn
	br     *bufio.Reader
	serial uint32
}

func dialManager() (*manager, error) {
	nc, err := net.Dial("unix", "/run/systemd/private")
	if err != nil {
		return nil, err
	}
	m := &manager{nc: nc, br: bufio.NewReaderSize(nc, 256<<10)}
	// As sd-bus does it: PID 1 may overlook a message that comes right behind a BEGIN.
	if _, err := io.WriteString(nc, "\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"); err != nil {
		return nil, err
	}
	for range 2 {
		if _, err := m.br.ReadSlice('\n'); err != nil {
			return nil, fmt.Errorf("cannot authenticate: %w", err)
		}
	}
	return m, nil
}

func (m *manager) close() { m.nc.Close() }

type property struct {
	Name  string
	Value dbus.Variant
}

type auxUnit struct {
	Name       string
	Properties []property
}

// startCall appends the message of one StartTransientUnit call to buf.
func (m *manager) startCall(buf *bytes.Buffer, unit string, props []units.Property) error {
	list := make([]property, len(props))
	for i, p := range props {
		list[i] = property{p.Name, dbus.MakeVariant(p.Value)}
	}
	body := []any{unit, "fail", list, []auxUnit{}}
	msg := &dbus.Message{
		Type: dbus.TypeMethodCall,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: dbus.MakeVariant("org.freedesktop.systemd1"),
			dbus.FieldPath:        dbus.MakeVariant(dbus.ObjectPath("/org/freedesktop/systemd1")),
			dbus.FieldInterface:   dbus.MakeVariant("org.freedesktop.systemd1.Manager"),
			dbus.FieldMember:      dbus.MakeVariant("StartTransientUnit"),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(body...)),
		},
		Body: body,
	}
	at := buf.Len()
	if err := msg.EncodeTo(buf, binary.LittleEndian); err != nil {
		return err
	}
	m.serial++
	binary.LittleEndian.PutUint32(buf.Bytes()[at+8:], m.serial) // godbus keeps its own to itself
	return nil
}

// start starts units and returns when the last start job has ended.
func (m *manager) start(defs []definition) error {
	sent := make(chan error, 1)
	go func() {
		var buf bytes.Buffer
		for _, d := range defs {
			buf.Reset()
			err := m.startCall(&buf, d.unit, d.props)
			if err == nil {
				_, err = m.nc.Write(buf.Bytes())
			}
			if err != nil {
				sent <- err
				m.nc.Close()
				return
			}
		}
		sent <- nil
	}()
	left := map[string]bool{}
	for _, d := range defs {
		left[d.unit] = true
	}
	_ = m.nc.SetReadDeadline(time.Now().Add(2 * time.Minute))
	for len(left) > 0 {
		kind, msg, body, err := m.read()
		if err != nil {
			return fmt.Errorf("cannot start %d units: %w", len(left), err)
		}
		switch {
		case kind == 3:
			return fmt.Errorf("systemd refuses a unit: %q", body)
		case kind == 4 && bytes.Contains(msg, []byte("JobRemoved")):
			unit, result := jobRemoved(body)
			if left[unit] && result != "done" {
				return fmt.Errorf("the start of %s ended with %q", unit, result)
			}
			delete(left, unit)
		}
	}
	return <-sent
}

// read returns the type, the header and the body of the next message.
func (m *manager) read() (kind byte, header, body []byte, err error) {
	var fixed [16]byte
	if _, err := io.ReadFull(m.br, fixed[:]); err != nil {
		return 0, nil, nil, err
	}
	fields := (int(binary.LittleEndian.Uint32(fixed[12:])) + 7) &^ 7
	rest := make([]byte, fields+int(binary.LittleEndian.Uint32(fixed[4:])))
	_, err = io.ReadFull(m.br, rest)
	return fixed[1], rest[:fields], rest[fields:], err
}

// jobRemoved takes unit and result out of the body (uoss).
func jobRemoved(b []byte) (unit, result string) {
	at := 4
	text := func() string {
		at = (at + 3) &^ 3
		n := int(binary.LittleEndian.Uint32(b[at:]))
		s := string(b[at+4 : at+4+n])
		at += 4 + n + 1
		return s
	}
	text()
	return text(), text()
}

// definition is one unit as it is sent to systemd.
type definition struct {
	unit  string
	props []units.Property
}

// floorProject names the units that systemd runs without msup, which would never use it.
const floorProject = "floor"

// bare returns the units of a project exactly as msup defines them, under names of the
// floor's own. change may alter the properties.
func bare(p units.Project, rt units.Runtime, change func([]units.Property) []units.Property) []definition {
	rt.Project = floorProject
	var defs []definition
	for _, prog := range p.Programs {
		if prog.Stdout != "" {
			rt.Stdout, rt.Stderr = prog.Stdout+".floor", prog.Stderr+".floor"
		}
		props := units.Properties(prog, rt)
		if change != nil {
			props = change(props)
		}
		defs = append(defs, definition{units.UnitName(floorProject, prog.Name, prog.Type), props})
	}
	return defs
}

// slice is the one all units of bare are in.
func slice() string { return units.SliceName(floorProject) }
