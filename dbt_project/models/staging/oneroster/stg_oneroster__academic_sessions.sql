{{ changes('academic_sessions', 'academicSessions') }}
