package config

import (
	"strings"
	"time"

	"msup/policy"
	"msup/units"
)

const (
	setWords       = "causes (oom, timeout, watchdog, signal, core-dump, exec-failed, unhealthy), exit statuses, ranges of them and names of signals, separated by spaces or commas"
	delayListWords = "times, separated by spaces or commas: seconds or a number with ms, s, m, h or d each (1h30m without a space)"
)

// restartKeys are the restart policy: which ends are answered by a start, when, and how often.
var restartKeys = []Key{
	{
		Section: programSection, Name: "autorestart", Kind: Scalar, Default: "on-failure", Allowed: "never, on-failure or always", Example: "always",
		Doc:   "After which kind of end it is started again; without the key never where there is a schedule: the next time is the next try.",
		Other: []string{"Restart", "restart"}, set: setAutorestart,
	},
	{
		Section: programSection, Name: "restart_delay", Kind: Scalar, Default: "1s", Allowed: delayListWords, Example: "500ms 2 10",
		Doc:   "Time between an end and the next start. Of several, the n-th is that of the n-th restart in a row; the last one repeats.",
		Other: []string{"RestartSec", "backoff_seconds", "restartpause"}, set: func(t *target, s setting) error {
			delays, err := parseDelays(s.value)
			if err == nil {
				t.prog.Rules.RestartDelay, t.prog.Rules.MoreDelays = delays[0], nil
			}
			if len(delays) > 1 {
				t.prog.Rules.MoreDelays = delays[1:] // not empty: nil is what comes back from project.json
			}
			return err
		},
	},
	{
		Section: programSection, Name: "restart_backoff", Kind: Scalar, Default: "1", Allowed: "a number from 1 to 100", Example: "2",
		Doc: "What the last restart_delay is multiplied by for each further restart in a row.",
		set: func(t *target, s setting) (err error) {
			t.prog.Rules.RestartBackoff, err = parseNumber(s.value, 1, 100)
			return err
		},
	},
	{
		Section: programSection, Name: "restart_delay_max", Kind: Scalar, Default: "5m", Allowed: durationWords + ", 0 = no limit", Example: "30s",
		Doc:   "Longest time before a restart, whatever restart_backoff and restart_jitter come to; 0 = no limit.",
		Other: []string{"RestartMaxDelaySec"}, set: rule(func(r *policy.Rules) *time.Duration { return &r.RestartDelayMax }),
	},
	{
		Section: programSection, Name: "restart_jitter", Kind: Scalar, Default: "0", Allowed: "a number from 0 to 1, or a percentage", Example: "20%",
		Doc: "Share of the delay that chance may add to it, so that programs that died together do not start together.",
		set: func(t *target, s setting) (err error) {
			t.prog.Rules.RestartJitter, err = parseShare(s.value)
			return err
		},
	},
	{
		Section: programSection, Name: "max_restarts", Kind: Scalar, Default: "5", Allowed: "a whole number, 0 = no limit", Example: "10",
		Doc:   "Restarts before giving up; 0 = no limit.",
		Other: []string{"StartLimitBurst"}, set: func(t *target, s setting) error {
			n, err := parseInt(s.value, 0, maxRestarts)
			t.prog.Rules.MaxRestarts = int(n)
			return err
		},
	},
	{
		Section: programSection, Name: "restart_window", Kind: Scalar, Unset: "no window", Allowed: durationWords + ", 0 = no window", Example: "10m",
		Doc:   "Give up when there were max_restarts within this time, however long it stayed up between them.",
		Other: []string{"StartLimitIntervalSec", "StartLimitInterval"}, set: rule(func(r *policy.Rules) *time.Duration { return &r.RestartWindow }),
	},
	{
		Section: programSection, Name: "restart_reset", Kind: Scalar, Default: "60s", Allowed: durationWords + ", 0 = never", Example: "5m",
		Doc:   "How long it must stay up for its restarts in a row to be forgiven: the delay is the first one again, and so is the count without restart_window. 0 = never.",
		Other: []string{"min_uptime"}, set: rule(func(r *policy.Rules) *time.Duration { return &r.RestartReset }),
	},
	{
		Section: programSection, Name: "restart_cooldown", Kind: Scalar, Unset: "never", Allowed: durationWords + ", 0 = never", Example: "10m",
		Doc: "Time after which one that has used up its restarts is tried again, its count cleared.",
		set: rule(func(r *policy.Rules) *time.Duration { return &r.RestartCooldown }),
	},
	{
		Section: programSection, Name: "success_exit_codes", Kind: Scalar, Default: "0", Allowed: "exit statuses from 0 to 255, ranges of them and names of signals, separated by spaces or commas", Example: "0 2 64-78 SIGTERM",
		Doc:   "Exit statuses, and signals that end it, that count as ending well.",
		Other: []string{"exitcodes", "SuccessExitStatus", "stop_exit_codes"}, set: setSuccess,
	},
	{
		Section: programSection, Name: "restart_on", Kind: Scalar, Unset: "none", Allowed: setWords, Example: "watchdog 75 SIGHUP",
		Doc:   "Ends it is started again after, whatever autorestart says.",
		Other: []string{"RestartForceExitStatus"}, set: exitSet(func(r *policy.Rules) *policy.ExitSet { return &r.RestartOn }),
	},
	{
		Section: programSection, Name: "restart_never_on", Kind: Scalar, Unset: "none", Allowed: setWords, Example: "exec-failed 2 64-78",
		Doc:   "Ends it is never started again after, whatever the other keys say.",
		Other: []string{"RestartPreventExitStatus"}, set: exitSet(func(r *policy.Rules) *policy.ExitSet { return &r.RestartNeverOn }),
	},
	{
		Section: programSection, Name: "on_oom", Kind: Scalar, Unset: "as any failure", Allowed: "restart or stop", Example: "stop",
		Doc:   "After a kill for memory: restart it even if autorestart is never, or stop: give up.",
		Other: []string{"OOMPolicy"}, set: func(t *target, s setting) error {
			t.prog.Rules.OnOOM = policy.OOMRule(s.value)
			return oneOf(s.value, policy.OOMRestart, policy.OOMStop)
		},
	},
	{
		Section: programSection, Name: "start_timeout", Kind: Scalar, Unset: "systemd's, 90s", Allowed: durationWords, Example: "30s",
		Doc:   "Time a start may take, up to the moment the program is executed (TimeoutStartSec), and from then on the time until it is ready; then it is stopped.",
		Other: []string{"TimeoutStartSec", "launch_timeout_seconds"}, set: func(t *target, s setting) (err error) {
			if t.prog.StartTimeout, err = ParseDuration(s.value); err == nil && t.prog.StartTimeout <= 0 {
				return hinted("leave the key out for systemd's, or write a long time, for example 1d", "%s leaves no time to start", quote(s.value))
			}
			return err
		},
	},
}

// startKeys say when a start counts as one.
var startKeys = []Key{
	{
		Section: programSection, Name: "start_seconds", Kind: Scalar, Default: "1s", Allowed: durationWords + ", 0 = at once", Example: "5",
		Doc:   "How long it must stay up to be RUNNING; until then it is STARTING, and msup up -d waits.",
		Other: []string{"startsecs"}, set: rule(func(r *policy.Rules) *time.Duration { return &r.StartPeriod }),
	},
	{
		Section: programSection, Name: "start_retries", Kind: Scalar, Unset: "not set", Allowed: "a whole number", Example: "3",
		Doc:   "If set, every end before start_seconds is a failed start, with any exit status, which is tried again so often in a row, whatever autorestart says. These are no restarts.",
		Other: []string{"startretries"}, set: func(t *target, s setting) error {
			n, err := parseInt(s.value, 0, maxRestarts)
			retries := int(n)
			t.prog.Rules.StartRetries = &retries
			return err
		},
	},
	{
		Section: programSection, Name: "start_retry_delay", Kind: Scalar, Unset: "as restart_delay", Allowed: delayListWords, Example: "1 3 4",
		Doc: "Time between a failed start and the next try, as restart_delay.",
		set: func(t *target, s setting) (err error) {
			t.prog.Rules.StartRetryDelays, err = parseDelays(s.value)
			return err
		},
	},
}

// maxRestarts bounds counts of restarts; of those within a window each is remembered.
const maxRestarts = 1<<31 - 1

func rule(field func(*policy.Rules) *time.Duration) func(*target, setting) error {
	return duration(func(p *units.Program) *time.Duration { return field(&p.Rules) })
}

// otherModes are what other supervisors write for a value of autorestart.
var otherModes = map[string]string{
	"true": "always", "yes": "always", "unexpected": "on-failure", "false": "never", "no": "never",
	"unless-stopped": "always", "on_failure": "on-failure",
}

func setAutorestart(t *target, s setting) error {
	if other := otherModes[strings.ToLower(s.value)]; other != "" {
		return hinted("did you mean "+other+"?", "%s is not never, on-failure or always", quote(s.value))
	}
	t.prog.Rules.Autorestart = policy.Mode(s.value)
	return oneOf(s.value, policy.Never, policy.OnFailure, policy.Always)
}
