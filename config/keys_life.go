package config

import (
	"slices"
	"time"

	"msup/policy"
	"msup/units"
)

// lifeKeys say how long a run lasts, and which programs are there to end.
var lifeKeys = []Key{
	{
		Section: programSection, Name: "oneshot", Kind: Scalar, Default: "false", Allowed: boolWords, Example: "true",
		Doc: "It is there to end: done when it has ended well (EXITED), and msup up -d waits for that. start_seconds and restart_reset do not apply.",
		set: func(t *target, s setting) (err error) {
			t.prog.Rules.Oneshot, err = parseBool(s.value)
			return err
		},
	},
	{
		Section: programSection, Name: "max_runtime", Kind: Scalar, Unset: "no limit", Allowed: durationWords + ", 0 = no limit", Example: "10m",
		Doc:   "Time a run may last (RuntimeMaxSec); then it is stopped, which is a failure with the cause timeout.",
		Other: []string{"RuntimeMaxSec"}, set: duration(func(p *units.Program) *time.Duration { return &p.MaxRuntime }),
	},
	{
		Section: programSection, Name: "max_age", Kind: Scalar, Unset: "no limit", Allowed: durationWords + ", 0 = no limit", Example: "1d",
		Doc: "Time after which a program that is RUNNING is restarted, healthy as it is; this is none of its max_restarts.",
		set: rule(func(r *policy.Rules) *time.Duration { return &r.MaxAge }),
	},
	{
		Section: programSection, Name: "max_age_spread", Kind: Scalar, Default: "0", Allowed: "a number from 0 to 1, or a percentage", Example: "20%",
		Doc: "Share of max_age that chance may take off, so that programs that were started together are not restarted together.",
		set: func(t *target, s setting) (err error) {
			t.prog.Rules.MaxAgeSpread, err = parseShare(s.value)
			return err
		},
	},
}

// checkLife looks at keys about the length of a run together.
func (l *loader) checkLife(d *draft) {
	if d.MaxRuntime > 0 && slices.ContainsFunc(d.systemd, func(s setting) bool { return s.key.entry().Name == "RuntimeMaxSec" }) {
		l.reportFor(d, d.at("max_runtime"), "systemd.RuntimeMaxSec is set too", "say it once, by max_runtime")
	}
}

// checkOneshot looks at the rules of a program that is there to end. What it cannot have of
// [defaults] is for the others.
func checkOneshot(r *policy.Rules, inDefaults func(key string) bool, fail func(key, message, hint string), idle func(key, why string, with ...string)) {
	if r.MaxAge == 0 {
		idle("max_age_spread", "max_age is not set")
	}
	if !r.Oneshot {
		return
	}
	if inDefaults("autorestart") && r.Autorestart == policy.Always {
		r.Autorestart = policy.OnFailure
	}
	if inDefaults("max_age") {
		r.MaxAge = 0
	}
	const done = "the program is a oneshot, which is done when it has ended well"
	if r.Autorestart == policy.Always {
		fail("autorestart", done, "use on-failure or never, or remove oneshot")
	}
	if slices.ContainsFunc(members(r.RestartOn), r.EndedWell) {
		fail("restart_on", done, "leave away what counts as ending well (success_exit_codes), or remove oneshot")
	}
	if r.Ready != "" {
		fail("ready", done, "remove it: what waits for a oneshot waits for its end; or remove oneshot")
	}
	if r.MaxAge > 0 {
		fail("max_age", "the program is a oneshot, which is not restarted for its age", "use max_runtime to bound a run, or remove one of the two")
	}
	idle("start_seconds", "a oneshot counts when it has ended", "oneshot")
	idle("restart_reset", "how long a oneshot takes forgives no restart", "oneshot")
}
