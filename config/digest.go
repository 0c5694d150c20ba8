package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"msup/units"
)

// live are the keys of a program that take effect while it runs.
var live = []string{
	"autostart", "description", "journal", "journal_rate",
	// The policy. Of success_exit_codes only what systemctl shows waits for the next start.
	"autorestart", "restart_delay", "restart_backoff", "restart_delay_max", "restart_jitter",
	"max_restarts", "restart_window", "restart_reset", "restart_cooldown",
	"success_exit_codes", "restart_on", "restart_never_on", "on_oom",
	"start_seconds", "start_retries", "start_retry_delay",
	"start_timeout", // has a meaning only while it starts
}

// Live reports whether the key takes effect without a restart of the program. (Of stdout
// and stderr only the kind of place does not.)
func (k Key) Live() bool {
	return k.Section != programSection || slices.Contains(live, k.Name) || strings.HasPrefix(k.Name, "log_")
}

// digest stands for what of a definition takes effect with the next start only. It is
// made of the settings as they are written and not of what they come to, so that it is the
// same for every version of msup.
func (d *draft) digest() string {
	h := sha256.New()
	line := func(name, value string) { fmt.Fprintf(h, "%s=%q\n", name, value) }
	for i := range keys {
		k := &keys[i]
		switch {
		case k.Live(), k.Name == "stdout", k.Name == "stderr":
		case k.Repeats:
			for _, s := range d.all {
				if s.key.Name == k.Name {
					line(k.Name, s.value)
				}
			}
		default:
			if s, ok := d.given[k.Name]; ok {
				line(k.Name, s.value)
			}
		}
	}
	if _, ok := d.given["directory"]; !ok {
		line("directory", d.Directory)
	}
	if d.InGroup != "" {
		line("[group]", d.InGroup) // a unit stays in the slice it was started in
	}
	_, _ = io.WriteString(h, outputKind(d.Program)) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// outputKind says what the streams of a unit are connected to.
func outputKind(p units.Program) string {
	kind := func(path string) string {
		switch path {
		case "", os.DevNull:
			return path
		}
		return "file"
	}
	if p.Stdout == p.Stderr {
		return kind(p.Stdout)
	}
	return kind(p.Stdout) + " " + kind(p.Stderr)
}
