{{ changes('orgs', 'orgs') }}
