{{ changes('enrollments', 'enrollments') }}
