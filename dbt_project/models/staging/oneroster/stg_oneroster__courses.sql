{{ changes('courses', 'courses') }}
