//go:build linux

package integration

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msup/dbus"
	"msup/integration/sandbox"
	"msup/property"
	"msup/units"
)

// TestProperties starts a unit on a real systemd with each example of each setting that it has. What the kernel or the
// sandbox makes of it does not matter: systemd has to accept the property, and what it then writes down as the unit's
// text has to be what the example says.
func TestProperties(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		inSandbox(t, booted{kind: sandbox.Namespaces, subtests: []string{"examples"}, parallel: 1, timeout: 2 * time.Minute})
		return
	}
	t.Run("examples", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		bus, err := dbus.Dial(ctx, dbus.System)
		if err != nil {
			t.Fatal(err)
		}
		defer bus.Close()
		go func() {
			for range bus.Events() {
			}
		}()
		tried, changed := 0, 0
		for _, e := range property.Entries() {
			for _, example := range e.Examples {
				if e.Types&property.Service == 0 || e.Needs(example) > bus.Version() {
					continue
				}
				tried++
				if tryExample(ctx, t, bus, e, example, fmt.Sprintf("example-%d.service", tried)) {
					changed++
				}
			}
		}
		t.Logf("%d examples on systemd %d, %d changed while the unit ran", tried, bus.Version(), changed)
		if tried < 250 || changed < 50 {
			t.Errorf("only %d examples, %d changed", tried, changed)
		}
	})
}

// tryExample reports whether systemd has changed the setting in the unit that runs.
func tryExample(ctx context.Context, t *testing.T, bus *dbus.Conn, e property.Entry, example, unit string) (changed bool) {
	props, err := e.Parse([]string{example}, bus.Version())
	if err != nil {
		t.Errorf("%s=%s: %v", e.Name, example, err)
		return changed
	}
	var sent []units.Property
	for _, p := range props {
		sent = append(sent, units.Property(p))
	}
	all := slices.Clone(sent)
	if e.Name != "ExecStart" {
		all = append(all, units.Property{Name: "ExecStart", Value: []property.ExecCommand{{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}}}})
	}
	if err := bus.Start(ctx, unit, all, false); err != nil {
		if why, ok := unsupported[e.Name]; ok {
			t.Logf("%s=%s: %s: %v", e.Name, example, why, err)
			return changed
		}
		t.Errorf("%s=%s as %v: %v", e.Name, example, props, err)
		return changed
	}
	f, err := bus.Read(ctx, unit)
	for e.Live && err == nil && f.ActiveState != "active" && f.ActiveState != "failed" && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
		f, err = bus.Read(ctx, unit)
	}
	if err == nil && f.ActiveState == "active" {
		// The table says whether systemd changes it in a unit that runs.
		err := bus.SetProperties(ctx, unit, sent)
		changed = err == nil
		if changed != e.Live && e.Name != "Description" {
			t.Errorf("%s=%s: Live is %v in the table, changing it gives %v", e.Name, example, e.Live, err)
		}
	}
	data, err := os.ReadFile("/run/systemd/transient/" + unit)
	defer func() {
		_ = bus.Stop(ctx, unit) // it may have ended
		_ = bus.Reset(ctx, unit)
	}()
	if os.IsNotExist(err) {
		t.Logf("%s=%s: the unit was over before its text could be read", e.Name, example)
		return changed
	}
	var settings []property.Setting
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(name, "#") || name == "ExecStart" && e.Name != "ExecStart" {
			continue
		}
		settings = append(settings, property.Setting{Name: name, Value: value}.Literal())
	}
	back, err := property.Properties(settings, bus.Version())
	if diff := cmp.Diff(props, back); err != nil || diff != "" {
		if why, ok := writtenAs[e.Name]; ok {
			t.Logf("%s=%s: %s: %v", e.Name, example, why, settings)
			return changed
		}
		t.Errorf("%s=%s: systemd writes %v: %v (-sent +read):\n%s", e.Name, example, settings, err, diff)
	}
	return changed
}

// unsupported are settings with which systemd does not start the unit, having accepted them.
var unsupported = map[string]string{
	"RefuseManualStart": "a transient unit is started by hand",
}

const (
	damaged = "before 254 systemd puts a backslash before each $ of a command"
	unknown = "systemd writes only capabilities that it knows"
	perLine = "systemd writes an empty line first, and the rest in no order"
)

// writtenAs are settings that systemd 252 does not write down as it got them, so that they are others after a daemon-reload.
var writtenAs = map[string]string{
	"ExecCondition": damaged, "ExecStartPre": damaged, "ExecStart": damaged, "ExecStartPost": damaged, "ExecReload": damaged, "ExecStop": damaged, "ExecStopPost": damaged,
	"CapabilityBoundingSet": unknown, "AmbientCapabilities": unknown, "IPAddressAllow": perLine, "IPAddressDeny": perLine,
	"CPUQuota": "before 256 systemd writes whole percents", "TasksMax": "before 257 systemd writes a tenth of the percentage",
	"IOReadBandwidthMax": "systemd writes nothing for infinity, which it is without", "NUMAPolicy": "systemd writes nothing",
	"BindReadOnlyPaths": "systemd writes paths without quotes", "LogExtraFields": "systemd writes fields without quotes",
	"ExtensionImages": "systemd writes only mount options", "MountImages": "systemd writes only mount options", "RootImageOptions": "systemd writes nothing",
	"SetCredentialEncrypted": "systemd writes escapes for Base64", "SystemCallErrorNumber": "systemd writes the number that stands for kill",
}
