package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"msup/units"
)

// ErrNoSupervisor says that no supervisor answers at the socket.
var ErrNoSupervisor = errors.New("no supervisor is running")

// ErrDenied says that the supervisor is another user's.
var ErrDenied = errors.New("cannot talk to the supervisor: permission denied")

// ErrOtherPlan says that a plan is not what the configuration would change by now.
var ErrOtherPlan = errors.New("the configuration or the programs have changed since")

// ErrUnanswered says that the supervisor ended before it answered: what it was told to do it may
// have done.
var ErrUnanswered = errors.New("the supervisor ended before it answered")

// InvalidError says that the configuration, or a value, is wrong.
type InvalidError struct{ Message string }

func (e *InvalidError) Error() string { return e.Message }

var errOtherVersion = errors.New("the supervisor is an older version of msup and does not know this; systemctl restart of its unit replaces it and stops nothing")

// Client talks to a supervisor.
type Client struct {
	http http.Client
}

// NewClient talks to the supervisor at socket; nothing is sent yet.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// Status asks for the report.
func (c *Client) Status(ctx context.Context) (Report, error) {
	var r Report
	err := c.do(ctx, "GET", "/v1/status", nil, &r)
	return r, err
}

// Do sends a command and returns the programs as they were right after it.
func (c *Client) Do(ctx context.Context, cmd units.Command) (units.Snapshot, error) {
	var s units.Snapshot
	body, err := json.Marshal(cmd)
	if err != nil {
		return s, err
	}
	err = c.do(ctx, "POST", "/v1/command", body, &s)
	return s, err
}

// Rotate rotates the files of programs, all without names, and returns what became of each.
func (c *Client) Rotate(ctx context.Context, programs []string) ([]Rotated, error) {
	body, err := json.Marshal(RotateRequest{programs})
	if err != nil {
		return nil, err
	}
	var files []Rotated
	err = c.do(ctx, "POST", "/v1/rotate", body, &files)
	return files, err
}

// Watch returns the programs as they are and every record from then on. The channel is
// closed when ctx or the supervisor ends, or when the reader does not keep up.
func (c *Client) Watch(ctx context.Context) (units.Snapshot, <-chan units.Record, error) {
	resp, err := c.send(ctx, "GET", "/v1/watch", nil) //nolint:bodyclose // the goroutine below closes it
	if err != nil {
		return units.Snapshot{}, nil, err
	}
	dec := json.NewDecoder(resp.Body)
	var first Line
	if err := dec.Decode(&first); err != nil || first.Snapshot == nil {
		resp.Body.Close()
		return units.Snapshot{}, nil, fmt.Errorf("cannot watch the supervisor: %w", errors.Join(err, ErrNoSupervisor))
	}
	records := make(chan units.Record, 64)
	go func() {
		defer close(records)
		defer resp.Body.Close()
		for {
			var l Line
			if dec.Decode(&l) != nil {
				return
			}
			if l.Record == nil {
				continue
			}
			select {
			case records <- *l.Record:
			case <-ctx.Done():
				return
			}
		}
	}()
	return *first.Snapshot, records, nil
}

func (c *Client) do(ctx context.Context, method, path string, body []byte, out any) error {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("cannot read the supervisor's answer: %w: %w", ErrUnanswered, err)
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://msup"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNoSupervisor
	case errors.Is(err, fs.ErrPermission):
		return nil, ErrDenied
	case err != nil && method == http.MethodGet && ctx.Err() == nil && !dialFailed(err):
		// It ended before it answered: reset, end of file, or what net/http makes of them. What
		// it was told to do it may have done, so that is for questions only.
		return nil, ErrNoSupervisor
	case err != nil && ctx.Err() == nil && !dialFailed(err):
		return nil, fmt.Errorf("cannot talk to the supervisor: %w: %w", ErrUnanswered, err)
	case err != nil:
		return nil, fmt.Errorf("cannot talk to the supervisor: %w", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
	msg := strings.TrimSpace(string(text))
	switch resp.StatusCode {
	case http.StatusNotFound:
		if msg == "404 page not found" { // net/http's: it does not know the question
			return nil, errOtherVersion
		}
		return nil, &NoSuchProgramError{msg}
	case http.StatusUnprocessableEntity:
		return nil, &InvalidError{msg}
	case otherPlan:
		return nil, ErrOtherPlan
	case http.StatusGone:
		return nil, ErrNoSupervisor
	}
	return nil, errors.New(msg)
}

func dialFailed(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// NoSuchProgramError is the supervisor's answer to a command about a program it does not
// have.
type NoSuchProgramError struct{ msg string }

func (e *NoSuchProgramError) Error() string { return e.msg }
