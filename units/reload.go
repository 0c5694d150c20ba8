package units

import (
	"context"
	"errors"
	"fmt"
	"time"

	"msup/policy"
	"msup/probe"
)

// reloadTime bounds the reload of a program for which nothing is said: systemd gives the
// commands TimeoutStartSec=, and says itself that it is over.
const reloadTime = 100 * time.Second

// reload has systemd run the reload_command of programs that run. The answer is sent when that
// is done.
func (s *Supervisor) reload(programs []*program, r commandRequest) error {
	for _, p := range programs {
		switch {
		case !p.state.IsActive() || p.over():
			return fmt.Errorf("cannot reload %s: it is %s", p.def.Name, p.state.Phase)
		case p.def.Rules.WaitsForReady(p.state) && p.def.Ready.Kind.Notifies():
			return fmt.Errorf("cannot reload %s: it is not ready yet", p.def.Name)
		case !p.def.Reloads():
			return fmt.Errorf("cannot reload %s: it has no reload_command; msup hup %s sends it SIGHUP, which makes many programs read their configuration again", p.def.Name, p.def.Name)
		}
	}
	bus := s.cfg.Bus
	failed := make(chan error, len(programs))
	for _, p := range programs {
		def, unit, limit := p.def, p.unit, max(reloadTime, p.def.StartTimeout+reloadTime/10)
		if def.Ready.Kind == probe.NotifyReload {
			// systemd gives it up then, but not its job where the program has said RELOADING=1
			// (service_enter_running, 257).
			limit = def.StartTimeout + reloadTime/10
		}
		s.note(p, "is reloaded: %s", by(r.cmd, "by request"))
		s.do(func(context.Context) func() {
			ctx, cancel := context.WithTimeout(s.ctx, limit)
			defer cancel()
			err := bus.Reload(ctx, unit)
			if err != nil {
				err = reloadFailure(ctx, bus, def, unit, err)
			}
			failed <- err
			return func() {
				if err != nil {
					s.note(p, "%v", err)
				}
			}
		})
	}
	s.do(func(context.Context) func() {
		var all error
		for range programs {
			select {
			case err := <-failed:
				all = errors.Join(all, err)
			case <-s.ctx.Done():
				all = s.ctx.Err()
			}
		}
		return func() { s.reply(r, all) }
	})
	return nil
}

// reloadFailure says which command of a reload has failed, and how.
func reloadFailure(ctx context.Context, bus Bus, def Program, unit string, err error) error {
	if errors.Is(err, ErrJob) {
		if f, readErr := bus.Read(ctx, unit); readErr == nil {
			for _, c := range f.Commands {
				if c.Setting == "ExecReload" && c.failed() {
					return fmt.Errorf("cannot reload %s: %s", def.Name, c.words(def.Hooks))
				}
			}
		}
	}
	if def.Ready.Kind == probe.NotifyReload && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("cannot reload %s: it has not said within %s that it has reloaded (READY=1, start_timeout)", def.Name, policy.Words(def.StartTimeout))
	}
	return fmt.Errorf("cannot reload %s: %w", def.Name, err)
}
