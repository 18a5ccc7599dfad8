package keyring

// Examine unseals s as Open would, and answers its keys, oldest first. It
// changes nothing and performs nothing that is due. Version 0 has no keys.
func Examine(s Sealed, roots RootKeys) ([]Key, error) {
	if s.Version == 0 {
		return nil, nil
	}
	sl, _, err := openSealer(roots, s)
	if err != nil {
		return nil, err
	}
	entries, err := sl.unseal(s)
	if err != nil {
		return nil, err
	}
	if _, err := newView(nil, sl, s.Version, entries); err != nil {
		return nil, err
	}
	keys := make([]Key, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return keys, nil
}
