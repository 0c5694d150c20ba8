package policy

import "encoding/json"

// UnmarshalJSON reads what an older version has written down too, which had a list of exit
// statuses in the place of Success.
func (r *Rules) UnmarshalJSON(data []byte) error {
	type plain Rules // without this method
	older := struct {
		*plain
		SuccessExitCodes []int
	}{plain: (*plain)(r)}
	if err := json.Unmarshal(data, &older); err != nil {
		return err
	}
	if r.Success.Empty() {
		r.Success = Codes(older.SuccessExitCodes...)
	}
	return nil
}
