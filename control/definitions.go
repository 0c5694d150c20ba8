package control

import (
	"context"
	"encoding/json"
	"net/http"

	"msup/units"
)

// Definitions changes what the programs of a supervisor are.
type Definitions interface {
	// Plan says what the configuration would change.
	Plan(ctx context.Context) (units.Plan, error)
	// Reload carries out the plan with that ID. [ErrOtherPlan] if it would be another one by
	// now.
	Reload(ctx context.Context, id, by string) (Applied, error)
	// Set puts a program's keys to other values until the next reload.
	Set(ctx context.Context, req SetRequest) (Applied, error)
	// Scale changes how many instances programs have, until the next reload. [ErrOtherPlan] if
	// that would stop something that was not agreed to.
	Scale(ctx context.Context, req ScaleRequest) (Applied, error)
}

// ScaleRequest asks for other numbers of instances.
type ScaleRequest struct {
	Programs []Scale `json:"programs"`
	// Stop names the instances that may be stopped for it; AnyStop: whichever they are.
	Stop    []string `json:"stop"`
	AnyStop bool     `json:"any_stop"`
	By      string   `json:"by"` // who asks, for the reason
}

// Scale is the number of instances that a program shall have.
type Scale struct {
	Program   string `json:"program"`
	Instances int    `json:"instances"`
}

// ReloadRequest asks for a plan to be carried out.
type ReloadRequest struct {
	ID string `json:"id"` // units.Plan.ID
	By string `json:"by"` // who asks, for the reason
}

// SetRequest asks for other values of keys of programs.
type SetRequest struct {
	Programs []string        `json:"programs"`
	Settings []units.Setting `json:"settings"`
}

// Applied is what came of other definitions.
type Applied struct {
	Snapshot units.Snapshot `json:"snapshot"` // right after them
	Warnings []string       `json:"warnings"`
}

// otherPlan is the status for a plan that is not that of now.
const otherPlan = http.StatusPreconditionFailed

func (s *Server) plan(w http.ResponseWriter, r *http.Request) {
	plan, err := s.Definitions.Plan(r.Context())
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, plan)
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	var req ReloadRequest
	if read(w, r, &req) {
		applied, err := s.Definitions.Reload(r.Context(), req.ID, req.By)
		answerOr(w, r, applied, err)
	}
}

func (s *Server) set(w http.ResponseWriter, r *http.Request) {
	var req SetRequest
	if read(w, r, &req) {
		applied, err := s.Definitions.Set(r.Context(), req)
		answerOr(w, r, applied, err)
	}
}

func (s *Server) scale(w http.ResponseWriter, r *http.Request) {
	var req ScaleRequest
	if read(w, r, &req) {
		applied, err := s.Definitions.Scale(r.Context(), req)
		answerOr(w, r, applied, err)
	}
}

// read reads the body of a request, or answers why that cannot be done.
func read(w http.ResponseWriter, r *http.Request, to any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(to)
	if err != nil {
		http.Error(w, "cannot read the command: "+err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func answerOr(w http.ResponseWriter, r *http.Request, v any, err error) {
	if err != nil {
		fail(w, r, err)
		return
	}
	answer(w, v)
}

// Plan asks what the configuration would change.
func (c *Client) Plan(ctx context.Context) (units.Plan, error) {
	var p units.Plan
	err := c.do(ctx, "GET", "/v1/plan", nil, &p)
	return p, err
}

// Reload has the plan with that ID carried out. [ErrOtherPlan] if it is not that of now.
func (c *Client) Reload(ctx context.Context, id, by string) (Applied, error) {
	return c.apply(ctx, "/v1/reload", ReloadRequest{id, by})
}

// Set puts keys of programs to other values.
func (c *Client) Set(ctx context.Context, req SetRequest) (Applied, error) {
	return c.apply(ctx, "/v1/set", req)
}

// Scale changes numbers of instances. [ErrOtherPlan] if it would stop what may not be stopped.
func (c *Client) Scale(ctx context.Context, req ScaleRequest) (Applied, error) {
	return c.apply(ctx, "/v1/scale", req)
}

func (c *Client) apply(ctx context.Context, path string, req any) (a Applied, err error) {
	body, err := json.Marshal(req)
	if err == nil {
		err = c.do(ctx, "POST", path, body, &a)
	}
	return a, err
}
