{{ changes('users', 'users') }}
