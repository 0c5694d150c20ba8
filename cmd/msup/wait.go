package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"msup/config"
	"msup/control"
	"msup/policy"

	"github.com/spf13/cobra"
)

// goal is what msup wait waits for.
type goal string

const (
	goalReady     goal = "ready"     // RUNNING; of a oneshot, that it has ended well
	goalStopped   goal = "stopped"   // nothing of it runs, or will run by itself
	goalCompleted goal = "completed" // EXITED: it has ended well
)

var goals = []string{string(goalReady), string(goalStopped), string(goalCompleted)}

func waitCommand(a *app) *cobra.Command {
	var what, timeout string
	cmd := &cobra.Command{
		Use:   "wait NAME...|all",
		Short: "Wait until programs are ready, stopped or completed",
		Long: `Wait until all of these programs are in the state named with --for:

  ready      RUNNING; a oneshot: EXITED
  stopped    STOPPED, EXITED, FAILED or KILLED, and not about to start again
  completed  EXITED: it has ended well

It starts and stops nothing. It fails with exit status 3 as soon as one cannot come to that
by itself any more: it gave up, it ended, somebody stopped it. A program that was not
started yet is waited for, and so is one whose schedule goes on. The supervisor may be restarted meanwhile.

` + exitStatusHelp,
		Example:           "  msup wait db --for ready --timeout 30s && ./run-tests\n  msup wait migrate --for completed",
		Args:              someArgs("the names of programs, or all"),
		ValidArgsFunction: a.completePrograms,
		RunE: func(cmd *cobra.Command, args []string) error {
			limit := time.Duration(0)
			switch goal(what) {
			case goalReady, goalStopped, goalCompleted:
			default:
				hint := "use " + strings.Join(goals, ", ")
				if near := config.Suggest(what, goals); near != "" {
					hint = "did you mean " + near + "?"
				}
				return &exitError{code: exitUsage, msg: fmt.Sprintf("--for %s is nothing to wait for", what), hint: hint}
			}
			if timeout != "" {
				var err error
				if limit, err = config.ParseDuration(timeout); err != nil {
					return usageError("bad --timeout: %v; use seconds or a number with ms, s, m, h or d", err)
				}
			}
			return a.wait(cmd.Context(), args, goal(what), limit)
		},
	}
	cmd.Flags().StringVar(&what, "for", string(goalReady), "ready, stopped or completed: the `STATE` to wait for")
	cmd.Flags().StringVar(&timeout, "timeout", "", "fail when it takes longer than this `TIME`, as 30 or 2m (default: wait for ever)")
	_ = cmd.RegisterFlagCompletionFunc("for", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return goals, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func (a *app) wait(ctx context.Context, patterns []string, g goal, limit time.Duration) error {
	t, names, err := a.chosen(patterns)
	if err != nil {
		return err
	}
	cause := fmt.Errorf("not %s after %s", g, limit)
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, cause)
		defer cancel()
	}
	w := newWaiting(g, names)
	for first := true; ; first = false {
		err := w.watch(ctx, t)
		switch {
		case errors.Is(err, control.ErrNoSupervisor) && first && !t.running:
			if g == goalStopped {
				return nil // nothing of a project that is not up runs
			}
			return notUp(err, t)
		case errors.Is(err, control.ErrNoSupervisor) || errors.Is(err, errSupervisorGone):
			back, err := a.awaitReturn(ctx, t)
			switch {
			case err != nil && ctx.Err() == nil:
				return err
			case err == nil && back, ctx.Err() != nil:
			case g == goalStopped && !a.runs(t.project.Name):
				return nil
			case !a.runs(t.project.Name):
				return &exitError{code: exitGaveUp, msg: fmt.Sprintf("project %s went down", t.project.Name)}
			default:
				return notUp(control.ErrNoSupervisor, t)
			}
		case err == nil, ctx.Err() == nil:
			return err
		}
		if ctx.Err() != nil {
			if context.Cause(ctx) == cause { //nolint:errorlint // it is that very one
				return &exitError{code: exitFailed, msg: cause.Error() + w.left()}
			}
			return ctx.Err()
		}
	}
}

// waiting is what msup wait knows of the programs.
type waiting struct {
	goal  goal
	names []string
	view  *view
	// moved are the programs that were in another state than STOPPED meanwhile: they are not
	// those that were not started yet.
	moved map[string]bool
	done  map[string]bool // have completed
}

func newWaiting(g goal, names []string) *waiting {
	return &waiting{goal: g, names: names, moved: map[string]bool{}, done: map[string]bool{}}
}

// watch follows one supervisor until all are there or one cannot be.
func (w *waiting) watch(ctx context.Context, t *target) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v, _, err := t.view(ctx)
	if err != nil {
		return err
	}
	w.view = v
	for {
		if w.view.ready {
			if done, err := w.look(); done || err != nil {
				return err
			}
		}
		select {
		case r, ok := <-v.records:
			if !ok {
				return errSupervisorGone
			}
			// One by one: what a program only passes through counts too.
			w.view.apply(r)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look reports whether all programs have come to the goal. The error says that one cannot any
// more.
func (w *waiting) look() (done bool, err error) {
	done = true
	for _, name := range w.names {
		reached, never := w.outlook(name)
		if never != "" {
			return false, &exitError{code: exitGaveUp, msg: fmt.Sprintf("%s will not be %s: it %s", name, w.goal, never)}
		}
		done = done && reached
	}
	return done, nil
}

// outlook is how it stands with one program; never says why it cannot come to the goal by
// itself any more.
func (w *waiting) outlook(name string) (reached bool, never string) {
	phase, known := w.view.programs[name]
	moved := w.moved[name]
	w.moved[name] = moved || phase != policy.Stopped
	if phase == policy.Exited {
		w.done[name] = true
	}
	is := fmt.Sprintf("is %s (%s)", phase, w.view.reasons[name])
	switch w.goal {
	case goalStopped:
		return !known || w.view.isDown(name), ""
	case goalCompleted:
		if w.done[name] {
			return true, ""
		}
	case goalReady:
		switch {
		case phase == policy.Exited && w.view.oneshot[name]:
			return true, ""
		case phase == policy.Running && !w.view.oneshot[name]:
			return true, ""
		case phase == policy.Exited && !w.view.armed[name]:
			return false, is
		}
	}
	switch {
	case !known:
		return false, "is in the project no more"
	case w.view.armed[name]: // what it awaits starts it again
	case phase.GaveUp() && w.view.next[name].IsZero(), phase == policy.Stopped && (moved || w.view.down):
		return false, is
	}
	return false, ""
}

// left says what is still waited for.
func (w *waiting) left() string {
	if w.view == nil || !w.view.ready {
		return ": the supervisor does not answer"
	}
	w.view.retell()
	text := w.view.describe(w.names, func(name string) bool {
		reached, _ := w.outlook(name)
		return reached
	})
	return ": " + text
}
