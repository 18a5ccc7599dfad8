package catalog

import "encoding/json"

// Claims answers the templates of custom claims for a token of api, in rising
// order: that of the API, then those of the roles in the order given.
func (c *Catalog) Claims(api API, roles []string) []json.RawMessage {
	all := []json.RawMessage{api.Claims}
	for _, r := range roles {
		if held, known := c.roles[r]; known {
			all = append(all, held.Claims)
		}
	}
	return all
}
